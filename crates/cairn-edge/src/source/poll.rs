//! A JSON document, or a line of text, that is asked for over HTTP again and again.
//!
//! One that did not change (`304`, or the same bytes, or the same time in it) is no reading again. Bodies are bounded; a server
//! that is away or asks for patience is given it.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;
use ureq::http::header::{ETAG, RETRY_AFTER};

use super::feed::{About, Backoff, Feed, UNREAD};
use crate::asking::asking;
use crate::map::{Mapping, PAYLOAD_BYTES_MAX};
use crate::{Ended, Raw, Source, SourceTrouble, Stop};

/// The longest that one request takes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait between attempts.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// Polls one address.
pub struct PollSource {
    url: String,
    /// Headers sent with each request, such as `authorization`.
    headers: Vec<(String, String)>,
    mapping: Mapping,
    every: Duration,
    agent: Agent,
}

/// What an address answered.
enum Answer {
    Fresh(Vec<u8>),
    Same,
}

/// Why it did not, and how long it wants to be left alone.
struct Refused {
    detail: String,
    wait: Option<Duration>,
}

/// What was answered last.
#[derive(Default)]
struct Last {
    etag: Option<String>,
    body: Vec<u8>,
}

impl PollSource {
    /// Asks `url` every `every`, with these headers.
    #[must_use]
    pub fn of(url: &str, headers: Vec<(String, String)>, mapping: Mapping, every: Duration) -> Self {
        let config = asking(TIMEOUT).max_redirects(3).max_idle_connections_per_host(1).build();
        Self { url: url.to_owned(), headers, mapping, every, agent: Agent::new_with_config(config) }
    }

    fn ask(&self, last: &mut Last) -> Result<Answer, Refused> {
        let plain = |detail: String| Refused { detail, wait: None };
        let mut request = self.agent.get(&self.url).header("accept", "application/json, text/plain;q=0.5");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(etag) = &last.etag {
            request = request.header("if-none-match", etag);
        }
        let mut response = request.call().map_err(|error| plain(error.to_string()))?;
        match response.status().as_u16() {
            200 => {}
            304 if last.etag.is_some() => return Ok(Answer::Same),
            status => {
                let detail = format!("it answered {status}");
                return Err(Refused { detail, wait: header(&response, &RETRY_AFTER).and_then(|text| seconds(&text)) });
            }
        }
        let etag = header(&response, &ETAG);
        let body = response.body_mut().with_config().limit(PAYLOAD_BYTES_MAX as u64).read_to_vec();
        let body = body.map_err(|error| plain(error.to_string()))?;
        let is_same = body == last.body && !body.is_empty();
        *last = Last { etag, body };
        Ok(if is_same { Answer::Same } else { Answer::Fresh(last.body.clone()) })
    }
}

fn header<T>(response: &Response<T>, name: &ureq::http::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX))
}

impl Source for PollSource {
    fn name(&self) -> String {
        // What stands before an `@` may be a password, and what stands behind a `?` a token.
        let url = self.url.split('?').next().unwrap_or_default();
        let host = url.rsplit('@').next().unwrap_or_default();
        format!("http {}", host.trim_start_matches("http://").trim_start_matches("https://"))
    }

    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        let mut backoff = Backoff::up_to(WAIT_MAX);
        let (mut last, mut said_ms) = (Last::default(), None);
        while !stop.is_set() {
            let wait = match self.ask(&mut last) {
                Ok(answer) => {
                    feed.works(About::Way);
                    backoff.reset();
                    if let Answer::Fresh(body) = answer {
                        let said = self.mapping.read(&body).ok().and_then(|mapped| mapped.said_ms);
                        let is_same = said.is_some() && said == said_ms;
                        said_ms = said;
                        if !is_same && !feed.take(&self.mapping, &body, None) {
                            break;
                        }
                    }
                    self.every
                }
                Err(Refused { detail, wait }) => {
                    feed.fails(About::Way, UNREAD, detail);
                    wait.unwrap_or_else(|| backoff.next()).max(self.every.min(WAIT_MAX))
                }
            };
            if stop.wait(wait) {
                break;
            }
        }
        Ended::Stopped
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::super::tests::collect;
    use super::*;
    use crate::map::MappingConfig;

    fn mapping() -> Mapping {
        let config = "format = \"json\"\ntime = { at = \"/at\" }\nfield = [{ quantity = \"co2\", at = \"/co2\" }]";
        Mapping::of(&toml::from_str::<MappingConfig>(config).unwrap()).unwrap()
    }

    /// Answers one request after the other; afterwards nobody is there. Gives the requests' heads.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/data.json?key=secret", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let heads = Mutex::new(Vec::new());
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut head = String::new();
                let mut reader = BufReader::new(&stream);
                while reader.read_line(&mut head).unwrap() > 2 {}
                heads.lock().unwrap().push(head);
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
            heads.into_inner().unwrap()
        });
        (url, served)
    }

    fn answer(status: &str, more: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_changed_is_read_and_what_did_not_is_no_reading_again() {
        let huge = "x".repeat(PAYLOAD_BYTES_MAX + 1);
        let (url, served) = serve(vec![
            answer("200 OK", "etag: \"a\"\r\n", r#"{"co2":415,"at":1700000000}"#),
            answer("304 Not Modified", "", ""),
            answer("200 OK", "", r#"{"co2":416,"at":1700000060}"#),
            answer("200 OK", "", r#"{"co2":416,"at":1700000060}"#),
            answer("200 OK", "", r#"{"co2":416,"at":1700000060,"uptime":7}"#),
            answer("503 Busy", "retry-after: 0\r\n", "busy"),
            answer("200 OK", "", &huge),
            answer("200 OK", "", r#"{"co2":417,"at":1700000120}"#),
        ]);
        let source = PollSource::of(
            &url,
            vec![("authorization".into(), "Bearer t".into())],
            mapping(),
            Duration::from_millis(1),
        );
        assert!(!source.name().contains("secret"));
        let stop = Stop::default();
        let (found, ended) = collect(Box::new(source), &stop, |count| {
            if count == 3 {
                stop.set()
            }
        });
        assert_eq!((found.values(), ended), (vec![415, 416, 417], Ended::Stopped));
        assert_eq!(found.troubles(), [(UNREAD, false), (UNREAD, true)]);
        let heads = served.join().unwrap();
        assert!(heads[1].contains("if-none-match: \"a\"") && !heads[3].contains("if-none-match"));
        assert!(heads.iter().all(|head| head.contains("authorization: Bearer t")));
    }

    #[test]
    fn a_server_that_is_away_is_waited_for() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let source = PollSource::of(&format!("http://{free}/"), vec![], mapping(), Duration::from_millis(1));
        let stop = Stop::default();
        let codes = std::cell::RefCell::new(Vec::new());
        Box::new(source).run(
            &|_| true,
            &|trouble| {
                codes.borrow_mut().push(trouble.code);
                stop.set();
            },
            &stop,
        );
        assert_eq!(*codes.borrow(), [UNREAD]);
    }
}
