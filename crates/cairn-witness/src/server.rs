//! Listening: who gets a connection, and what bounds it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::witness::report;
use crate::{Witness, WitnessError, router};

/// Threads that wait for the disk.
const BLOCKING_THREADS_MAX: usize = 16;
/// How long to wait after the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of a request's head, and the buffer of each connection.
const BUFFER_BYTES: usize = 16 << 10;

/// Where a witness listens, and whom it takes.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address and port, `127.0.0.1:8642` by default; port 0 takes a free one.
    pub listen: String,
    /// Connections open at once. Default 256.
    pub connections_max: usize,
    /// Of those, connections of one address. Default 64: a proxy on this machine is one address.
    pub connections_per_address_max: usize,
    /// How long a connection may take to send a request's head, and stay idle between two. Default 15 s.
    pub header_timeout: Duration,
    /// How long a connection may last at all, whatever it does. Default 10 min.
    pub connection_timeout: Duration,
    /// How long requests under way may go on after the end. Default 5 s.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8642".to_owned(),
            connections_max: 256,
            connections_per_address_max: 64,
            header_timeout: Duration::from_secs(15),
            connection_timeout: Duration::from_secs(600),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// Starts serving a witness.
///
/// # Errors
/// [`WitnessError::Listen`], [`WitnessError::System`].
pub fn start(witness: Arc<Witness>, options: ServerOptions) -> Result<Running, WitnessError> {
    let failed = |source| WitnessError::Listen { listen: options.listen.clone(), source };
    let system = |what| move |source| WitnessError::System { what, source };
    let listener = std::net::TcpListener::bind(&options.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("cairn-witness")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(system("start the server's threads"))?;
    let ending = watch::Sender::new(false);
    let (is_ending, handle) = (ending.subscribe(), runtime.handle().clone());
    let serving = move || run(runtime, listener, router(witness), &Arc::new(options), is_ending);
    let thread = std::thread::Builder::new().name("cairn-witness".to_owned()).spawn(serving);
    let thread = thread.map_err(system("start a thread"))?;
    Ok(Running { address, ending, handle, thread: Some(thread) })
}

/// Ctrl-C and the termination signal, caught.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// A witness at work. Dropping it ends it.
pub struct Running {
    address: SocketAddr,
    ending: watch::Sender<bool>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on Ctrl-C and a termination signal end the witness, once [`Running::wait`] is called, and not the process.
    ///
    /// # Errors
    /// [`WitnessError::System`] if signals cannot be waited for.
    pub fn signals(&self) -> Result<Signals, WitnessError> {
        let _in_runtime = self.handle.enter();
        let listen = |kind| signal(kind).map_err(|source| WitnessError::System { what: "wait for signals", source });
        Ok(Signals { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for a signal, then ends it.
    pub fn wait(mut self, mut signals: Signals) {
        self.handle.block_on(async {
            tokio::select! {
                _ = signals.interrupt.recv() => {}
                _ = signals.terminate.recv() => {}
            }
        });
        self.end();
    }

    fn end(&mut self) {
        self.ending.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there has said so on the standard error.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(
    runtime: Runtime,
    listener: std::net::TcpListener,
    router: Router,
    options: &Arc<ServerOptions>,
    ending: watch::Receiver<bool>,
) {
    let served = runtime.block_on(async {
        serve(TcpListener::from_std(listener)?, router, options.clone(), ending).await;
        Ok::<(), std::io::Error>(())
    });
    if let Err(error) = served {
        report(&format_args!("cannot listen: {error}"));
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// How many connections each address has; never more addresses than connections.
type Places = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A place among the connections, until it is dropped.
struct Place {
    places: Places,
    address: IpAddr,
}

impl Place {
    fn take(places: &Places, address: IpAddr, options: &ServerOptions) -> Option<Self> {
        let mut taken = places.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = taken.get(&address).copied().unwrap_or(0);
        if taken.values().sum::<usize>() >= options.connections_max || of_address >= options.connections_per_address_max
        {
            return None;
        }
        taken.insert(address, of_address + 1);
        Some(Self { places: places.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Serves until told to end; then lets requests under way finish. Who gets no place is hung up on.
async fn serve(listener: TcpListener, router: Router, options: Arc<ServerOptions>, mut ending: watch::Receiver<bool>) {
    let places = Places::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(place) = Place::take(&places, peer.ip(), &options) {
                    let (router, options, ending) = (router.clone(), options.clone(), ending.clone());
                    connections.spawn(async move {
                        let _ = timeout(options.connection_timeout, converse(stream, router, &options, ending)).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                report(&format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(options.shutdown_grace, all).await;
}

async fn converse(stream: TcpStream, router: Router, options: &ServerOptions, mut ending: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES)
        .half_close(false);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is its client's business.
    let ended = tokio::select! {
        _ = connection.as_mut() => true,
        _ = ending.wait_for(|ending| *ending) => false,
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
