//! How everything here that asks over HTTP introduces itself, and how long it waits.

use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

/// An agent to be: each request within `timeout`, and statuses are the caller's to judge.
pub fn asking(timeout: Duration) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(timeout))
}

/// One that asks now and then: nothing stays open, and no redirect is followed, so that what is said goes where it was told to
/// and nowhere else.
pub fn asking_seldom(timeout: Duration) -> Agent {
    Agent::new_with_config(asking(timeout).max_redirects(0).max_idle_connections(0).build())
}
