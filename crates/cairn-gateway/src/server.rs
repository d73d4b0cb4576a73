//! Starting, serving, and ending in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use cairn_ledger::{LedgerError, NetworkClock, Sequencer};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::front::Front;
use crate::metrics::Metrics;
use crate::options::GatewayOptions;
use crate::routes::router;
use crate::writer::{Writer, WriterQueue};
use crate::{GatewayError, problem};

/// How long to wait after the system refused to accept a connection, as it does when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long tasks may take to notice that the runtime is gone.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The HTTP front of a network.
pub struct Gateway;

impl Gateway {
    /// Starts serving a network: binds the address, brings the checkpoint up to date, and spawns the writer and the
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
        let listen = |source| GatewayError::Listen { listen: options.listen.clone(), source };
        let listener = TcpListener::bind(&options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("cairn-http")
            .enable_all()
            .build()
            .map_err(system("start the server's threads"))?;
        sequencer.tick()?;
        let log = sequencer.reader();
        let (writer, queue) = Writer::over(sequencer, &options);
        let front = Arc::new(Front {
            network,
            ledger,
            log,
            clock,
            writer: queue.clone(),
            metrics: Metrics::default(),
            body_bytes: Arc::new(Semaphore::new(options.bodies_bytes_max.min(Semaphore::MAX_PERMITS))),
            options,
        });
        let ending = watch::Sender::new(false);
        let handle = runtime.handle().clone();
        let writer = spawn("cairn-writer", move || writer.run())?;
        let is_ending = ending.subscribe();
        let server = spawn("cairn-server", move || run_server(runtime, listener, front, queue, is_ending))?;
        Ok(Running { address, ending, handle, threads: Some(Threads { server, writer }) })
    }
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

/// Serves until told to end; then lets requests finish, and the writer after them.
fn run_server(
    runtime: Runtime,
    listener: TcpListener,
    front: Arc<Front>,
    queue: WriterQueue,
    ending: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let served = runtime.block_on(serve(listener, front, ending));
    runtime.shutdown_timeout(LAST_WAIT);
    queue.end();
    served
}

async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    mut ending: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(system("listen"))?;
    let options = front.options.clone();
    let router = router(front);
    let connections = Arc::new(Semaphore::new(options.connections_max.max(1) as usize));
    loop {
        let accepted = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = converse(stream, router.clone(), options.header_timeout, ending.clone(), place);
                tokio::spawn(connection);
            }
            Err(error) => {
                problem::report_failure(&format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Every place is free again when the last connection has closed.
    let all = connections.acquire_many(options.connections_max.max(1));
    let _ = tokio::time::timeout(options.shutdown_grace, all).await;
    Ok(())
}

async fn accept(
    listener: &tokio::net::TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = connections.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// Serves one connection until it closes, or is asked to after its request.
async fn converse(
    stream: TcpStream,
    router: Router,
    header_timeout: Duration,
    mut ending: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is its client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

struct Threads {
    server: JoinHandle<Result<(), GatewayError>>,
    writer: JoinHandle<Result<(), LedgerError>>,
}

impl Threads {
    fn join(self) -> Result<(), GatewayError> {
        let server = self.server.join().map_err(|_| GatewayError::Panicked { thread: "server" });
        let writer = self.writer.join().map_err(|_| GatewayError::Panicked { thread: "writer" });
        writer??;
        server?
    }
}

/// A gateway at work. Dropping it ends it, as [`Running::shutdown`] does.
pub struct Running {
    address: SocketAddr,
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
