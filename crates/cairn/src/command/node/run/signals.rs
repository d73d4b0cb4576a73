//! Hearing that the process is asked to end.

use cairn_edge::Stop;

use crate::failure::Failure;

/// Has Ctrl-C and the termination signal ask everybody to stop.
///
/// # Errors
/// `NET-SIGNAL` where signals cannot be heard.
pub fn hear(stop: &Stop) -> Result<(), Failure> {
    let failed = |error| Failure::failed("NET-SIGNAL", format!("signals cannot be heard: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        let _entered = runtime.enter();
        signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)))
    };
    let (mut terminate, mut interrupt) = signals.map_err(failed)?;
    let stop = stop.clone();
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        stop.set();
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop).map_err(failed)
}
