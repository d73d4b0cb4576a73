//! Asking threads to end, and sleeping so that they hear it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request to end, shared by everybody whom it concerns. Clones are the same request.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Asks everybody to end; whoever waits wakes up.
    pub fn set(&self) {
        *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.asked.1.notify_all();
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for so long, or until it is asked; answers whether it was.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        let asked = self.asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.asked.1.wait_timeout_while(asked, at_most, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_woken_and_whoever_comes_later_does_not_wait() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::ZERO));
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait(Duration::from_secs(600)));
        stop.set();
        assert!(waiting.join().unwrap());
        assert!(stop.is_set() && stop.wait(Duration::from_secs(600)));
    }
}
