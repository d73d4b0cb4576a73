//! Starting, serving, and ending in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cairn_ledger::{LedgerError, NetworkClock, Sequencer};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Semaphore, watch};

use crate::blobs::Blobs;
use crate::events::{Events, keep_telling};
use crate::front::Front;
use crate::metrics::Metrics;
use crate::options::GatewayOptions;
use crate::orders::FrontOrders;
use crate::rates::Rates;
use crate::rounds::Rounds;
use crate::serve::{Door, keep_fresh, serve};
use crate::shares::Shares;
use crate::signatures::Signatures;
use crate::tls::Tls;
use crate::verifiers::{self, Verifiers};
use crate::witnessing::Witnessed;
use crate::writer::{Writer, WriterQueue};
use crate::{GatewayError, admin, blobs, mqtt, problem, routes, witnessing};

/// Threads for what reads files or computes; more would only wait for each other.
const BLOCKING_THREADS_MAX: usize = 64;
/// How long tasks may take to notice that the runtime is gone.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The HTTP front of a network.
pub struct Gateway;

impl Gateway {
    /// Starts serving a network: binds the addresses, brings the checkpoint up to date, and spawns the writer and the
    /// server. `clock` is the one that the sequencer has.
    ///
    /// # Errors
    /// [`GatewayError`] when the log is empty, the address cannot be listened on, or the writer fails at once.
    pub fn start(
        mut sequencer: Sequencer,
        clock: NetworkClock,
        options: GatewayOptions,
    ) -> Result<Running, GatewayError> {
        let ledger = sequencer.ledger();
        let network = ledger.read().ok().and_then(|ledger| ledger.network_id()).ok_or(GatewayError::NoNetwork)?;
        let tls = options.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        let (public, address) = bind(&options.listen)?;
        let admin = options.admin_listen.as_deref().map(bind).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("cairn-http")
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .enable_all()
            .build()
            .map_err(system("start the server's threads"))?;
        let log = sequencer.reader();
        let witnessed = options.witnessing.as_ref().map(|options| Witnessed::open(options, &log)).transpose()?;
        let witnessed = witnessed.map(Arc::new);
        let blobs = options.blobs.clone().map(Blobs::open).transpose().map_err(system("open the folder of blobs"))?;
        let blobs = blobs.map(Arc::new);
        sequencer.tick()?;
        let (rounds, asked) = options.witnessing.as_ref().and_then(Rounds::of).unzip();
        let (writer, queue) = Writer::over(sequencer, &options, rounds);
        let asking = witnessed.as_ref().zip(asked);
        let witnessing = asking.map(|(witnessed, asked)| witnessing::start(witnessed, asked, &log, queue.clone()));
        let witnessing = witnessing.transpose()?;
        let metrics = Metrics::default();
        let door = Door::of(&options, options.connections_max, tls.clone(), metrics.refusals.clone());
        let front = Arc::new(Front {
            network,
            ledger,
            log,
            clock,
            writer: queue.clone(),
            verifiers: Verifiers::default(),
            door: Arc::new(door),
            rates: Arc::new(Rates::of(&options)),
            memory: Shares::of(options.bytes_in_flight_max, options.bytes_per_address_max),
            work: Arc::new(Semaphore::new(options.requests_in_flight_max.clamp(1, Semaphore::MAX_PERMITS))),
            draining: AtomicBool::new(false),
            metrics,
            witnessed,
            signatures: Signatures::in_folder(options.signatures.clone()),
            blobs,
            mqtt: options.broker.as_ref().map(|_| Arc::default()),
            events: Events::of(&options),
            started: Instant::now(),
            options,
        });
        if let Some(till) = &front.options.till {
            till.begin(Arc::new(FrontOrders::of(&front)));
        }
        let ending = watch::Sender::new(false);
        let handle = runtime.handle().clone();
        let writer = spawn("cairn-writer", move || writer.run())?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let verifier = || {
            let front = front.clone();
            spawn("cairn-verifier", move || verifiers::work(&front))
        };
        let verifiers = (0..cores).map(|_| verifier()).collect::<Result<Vec<_>, _>>()?;
        let is_ending = ending.subscribe();
        let admin_address = admin.as_ref().map(|(_, address)| *address);
        let speaks_tls = tls.is_some();
        let listeners = Listeners { public, admin: admin.map(|(listener, _)| listener), tls };
        let server = spawn("cairn-server", move || run_server(runtime, listeners, front, queue, is_ending))?;
        let threads = Some(Threads { server, verifiers, writer, witnessing });
        Ok(Running { address, admin_address, speaks_tls, ending, handle, threads })
    }
}

fn bind(listen: &str) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { listen: listen.to_owned(), source };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> GatewayError {
    move |source| GatewayError::System { what, source }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, GatewayError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(system("start a thread"))
}

struct Listeners {
    public: TcpListener,
    admin: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
}

/// Serves until told to end; then lets requests finish, and the writer after them.
fn run_server(
    runtime: Runtime,
    listeners: Listeners,
    front: Arc<Front>,
    queue: WriterQueue,
    ending: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let served = runtime.block_on(serve_all(listeners, front.clone(), ending));
    runtime.shutdown_timeout(LAST_WAIT);
    if let Some(till) = &front.options.till {
        till.end();
    }
    front.verifiers.end();
    queue.end();
    served
}

async fn serve_all(listeners: Listeners, front: Arc<Front>, ending: watch::Receiver<bool>) -> Result<(), GatewayError> {
    let listen = |listener| tokio::net::TcpListener::from_std(listener).map_err(system("listen"));
    if let Some(tls) = listeners.tls {
        tokio::spawn(keep_fresh(tls));
    }
    if let Some(blobs) = front.blobs.clone() {
        tokio::spawn(blobs::routes::keep_swept(front.clone(), blobs));
    }
    tokio::spawn(keep_telling(front.clone(), ending.clone()));
    let public = serve(listen(listeners.public)?, front.door.clone(), routes::router(front.clone()), ending.clone());
    let broker = front.options.broker.clone().zip(front.mqtt.clone());
    let (own, until) = (front.clone(), ending.clone());
    let messages = async move {
        if let Some((options, counts)) = broker {
            mqtt::keep(own, counts, options, until).await;
        }
    };
    let Some(admin) = listeners.admin.map(listen).transpose()? else {
        tokio::join!(public, messages);
        return Ok(());
    };
    let door = Door::of(&front.options, admin::CONNECTIONS_MAX, None, front.metrics.refusals.clone());
    tokio::join!(public, messages, serve(admin, Arc::new(door), admin::router(front), ending));
    Ok(())
}

struct Threads {
    server: JoinHandle<Result<(), GatewayError>>,
    verifiers: Vec<JoinHandle<()>>,
    writer: JoinHandle<Result<(), LedgerError>>,
    /// It ends after the writer.
    witnessing: Option<JoinHandle<()>>,
}

impl Threads {
    fn join(self) -> Result<(), GatewayError> {
        let server = self.server.join().map_err(|_| GatewayError::Panicked { thread: "server" });
        let panicked = |_| GatewayError::Panicked { thread: "verifier" };
        let verifiers: Result<(), _> =
            self.verifiers.into_iter().try_for_each(|thread| thread.join().map_err(panicked));
        let writer = self.writer.join().map_err(|_| GatewayError::Panicked { thread: "writer" });
        let witnessing = self.witnessing.map_or(Ok(()), JoinHandle::join);
        writer??;
        witnessing.map_err(|_| GatewayError::Panicked { thread: "witnessing" })?;
        verifiers?;
        server?
    }
}

/// A gateway at work. Dropping it ends it, as [`Running::shutdown`] does.
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    speaks_tls: bool,
    ending: watch::Sender<bool>,
    handle: Handle,
    threads: Option<Threads>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the operator's listener is, if there is one.
    #[must_use]
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Whether the public listener speaks TLS.
    #[must_use]
    pub const fn speaks_tls(&self) -> bool {
        self.speaks_tls
    }

    /// Ends it: no new connections, requests under way finish, a last checkpoint is published, threads end.
    ///
    /// # Errors
    /// [`GatewayError`] if it had failed before.
    pub fn shutdown(mut self) -> Result<(), GatewayError> {
        self.end()
    }

    /// Waits for Ctrl-C or a termination signal, then ends it as [`Running::shutdown`] does.
    ///
    /// # Errors
    /// [`GatewayError`] if it had failed before, or signals cannot be waited for.
    pub fn wait_for_signal(mut self) -> Result<(), GatewayError> {
        let signalled = self.handle.block_on(signal());
        self.end()?;
        signalled.map_err(system("wait for signals"))
    }

    /// Waits until it has ended: somebody holds its [`Running::stopper`], or its server failed.
    ///
    /// # Errors
    /// [`GatewayError`] if it failed.
    pub fn wait(mut self) -> Result<(), GatewayError> {
        self.threads.take().map_or(Ok(()), Threads::join)
    }

    /// What ends it from another thread, without waiting.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + Clone + use<> {
        let ending = self.ending.clone();
        move || {
            ending.send_replace(true);
        }
    }

    fn end(&mut self) -> Result<(), GatewayError> {
        self.ending.send_replace(true);
        self.threads.take().map_or(Ok(()), Threads::join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            problem::report_failure(&error);
        }
    }
}

async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
