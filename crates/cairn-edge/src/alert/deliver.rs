//! Keeping what is to be told, and posting it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cairn_core::DeviceId;
use cairn_log::{Disk, FileError, read_whole, replace_whole};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::Agent;

use super::ledger::{Event, Ledger};
use super::{AlertConfig, Form, Rules, Watched, Webhook};
use crate::asking::asking_seldom;
use crate::home::AlertMessage;
use crate::{SourceTrouble, Stop};

/// The file.
const FILE: &str = "alerts";
const FILE_BYTES_MAX: u64 = 256 << 10;
/// The most alerts that wait to be posted; of more the oldest go.
const WAITING_MAX: usize = 64;
/// How often one is tried: over about an hour.
const TRIES_MAX: u32 = 10;
/// The wait after the first failure; it doubles up to the longest.
const AGAIN: Duration = Duration::from_secs(10);
const AGAIN_MAX: Duration = Duration::from_secs(900);
/// How often it is looked whether something is to be posted.
const LOOK: Duration = Duration::from_secs(2);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The code of a webhook that does not take alerts.
const WEBHOOK: &str = "EDGE-WEBHOOK";

/// Posts.
pub trait Post: Send + Sync {
    /// Posts a body of a media type.
    ///
    /// # Errors
    /// Why it was not taken, in words.
    fn post(&self, url: &str, bearer: Option<&str>, media_type: &str, body: &str) -> Result<(), String>;
}

/// Posts over HTTP. Redirects are not followed: an alert and its token go where they were told to and nowhere else.
pub struct Http {
    agent: Agent,
}

impl Default for Http {
    fn default() -> Self {
        Self { agent: asking_seldom(TIMEOUT) }
    }
}

impl Post for Http {
    fn post(&self, url: &str, bearer: Option<&str>, media_type: &str, body: &str) -> Result<(), String> {
        let mut request = self.agent.post(url).header("content-type", media_type);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let response = request.send(body).map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }
}

/// What is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    ledger: Ledger,
    /// Still to be posted, oldest first.
    waiting: VecDeque<Event>,
    /// Alerts that nobody took.
    given_up: u64,
}

/// What a try to post came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// There is nothing to post.
    Nothing,
    /// It was taken.
    Taken,
    /// It was not, for this reason, and is tried again after the wait.
    Again(String, Duration),
    /// It was not, for this reason, and is not tried again.
    GivenUp(String),
}

/// What is watched, kept and told. Share it; [`Alerts::run`] posts, on a thread of its own.
pub struct Alerts {
    rules: Rules,
    webhook: Option<(Webhook, Option<String>)>,
    /// Who speaks: the device, and what people call it.
    speaker: (DeviceId, String),
    disk: Arc<dyn Disk>,
    kept: Mutex<Kept>,
    /// How often the first that waits was tried.
    tries: Mutex<(u64, u32)>,
}

impl Alerts {
    /// Goes on where the folder says. `name` is what people call the node.
    ///
    /// # Errors
    /// What is wrong with the configuration, or the disk, in words. A file that does not hold what was written into it is as good as
    /// none: what is wrong now is then told again.
    pub fn open(config: &AlertConfig, device: DeviceId, name: &str, disk: Arc<dyn Disk>) -> Result<Self, String> {
        config.check()?;
        let webhook = match &config.webhook {
            Some(webhook) => Some((webhook.clone(), bearer(webhook)?)),
            None => None,
        };
        let bytes = match read_whole(&*disk, FILE, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(FileError::TooLong { .. }) => None,
            Err(error) => return Err(error.to_string()),
        };
        let mut kept: Kept = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if webhook.is_none() {
            kept.waiting.clear();
        }
        let speaker = (device, name.to_owned());
        let tries = Mutex::new((0, 0));
        Ok(Self { rules: config.rules(), webhook, speaker, disk, kept: Mutex::new(kept), tries })
    }

    /// Looks at everything that is watched, keeps what is to be told, and answers it: for the household's broker
    /// ([`crate::home::Home::alert`]) and the log. What the webhook is to be told waits here.
    ///
    /// # Errors
    /// What the disk said. Then nothing was decided, and the next look decides it.
    pub fn look(&self, watched: &Watched) -> Result<Vec<AlertMessage>, FileError> {
        let mut kept = lock(&self.kept);
        let mut next = kept.clone();
        let events = next.ledger.look(&self.rules, watched);
        if self.webhook.is_some() {
            next.waiting.extend(events.iter().cloned());
        }
        let over = next.waiting.len().saturating_sub(WAITING_MAX);
        next.waiting.drain(..over);
        next.given_up += over as u64;
        let is_same = encode(&next) == encode(&kept);
        if !is_same {
            self.write(&next)?;
        }
        *kept = next;
        Ok(events.into_iter().map(|event| event.alert).collect())
    }

    /// What began and is not over.
    #[must_use]
    pub fn current(&self) -> Vec<AlertMessage> {
        lock(&self.kept).ledger.open()
    }

    /// Alerts that nobody took, ever.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        lock(&self.kept).given_up
    }

    /// Tries to post the first that waits.
    pub fn deliver(&self, post: &dyn Post) -> Delivered {
        let Some((webhook, bearer)) = &self.webhook else { return Delivered::Nothing };
        let Some(event) = lock(&self.kept).waiting.front().cloned() else { return Delivered::Nothing };
        let (media_type, body) = self.body(webhook.form, &event);
        let posted = post.post(&webhook.url, bearer.as_deref(), media_type, &body);
        let mut tries = lock(&self.tries);
        if tries.0 != event.number {
            *tries = (event.number, 0);
        }
        tries.1 += 1;
        let Err(why) = posted else {
            self.done_with(&event, 0);
            return Delivered::Taken;
        };
        if tries.1 >= TRIES_MAX {
            self.done_with(&event, 1);
            return Delivered::GivenUp(why);
        }
        Delivered::Again(why, AGAIN.saturating_mul(1 << (tries.1 - 1)).min(AGAIN_MAX))
    }

    /// An event needs no more tries. If the disk takes nothing it is posted again after a restart, under the same number.
    fn done_with(&self, event: &Event, given_up: u64) {
        let mut kept = lock(&self.kept);
        kept.waiting.retain(|waiting| waiting.number != event.number);
        kept.given_up += given_up;
        let _ = self.write(&kept);
    }

    fn write(&self, kept: &Kept) -> Result<(), FileError> {
        replace_whole(&*self.disk, FILE, &encode(kept))
    }

    fn body(&self, form: Form, event: &Event) -> (&'static str, String) {
        let (device, name) = &self.speaker;
        let AlertMessage { code, detail, is_over, at_ms } = &event.alert;
        let sign = if *is_over { "over" } else { "alert" };
        let words = format!("{name}: {sign}: {detail} ({code})");
        match form {
            Form::Text => ("text/plain; charset=utf-8", words),
            Form::Json => {
                let body = json!({
                    "number": event.number, "device": device.to_string(), "name": name, "code": code, "detail": detail,
                    "is_over": is_over, "at_ms": at_ms, "text": words, "content": words,
                });
                ("application/json", body.to_string())
            }
        }
    }

    /// Posts what waits until `stop` is set. Why it cannot is told once until it can.
    pub fn run(&self, post: &dyn Post, told: &dyn Fn(SourceTrouble), stop: &Stop) {
        let mut is_failing = false;
        while !stop.is_set() {
            let (failed, wait) = match self.deliver(post) {
                Delivered::Nothing => (None, LOOK),
                Delivered::Taken => (Some(None), Duration::ZERO),
                Delivered::Again(why, wait) => (Some(Some(why)), wait),
                Delivered::GivenUp(why) => (Some(Some(why)), AGAIN),
            };
            if let Some(why) = failed
                && core::mem::replace(&mut is_failing, why.is_some()) != why.is_some()
            {
                let detail = why.as_ref().map(|why| format!("the webhook takes no alerts: {why}")).unwrap_or_default();
                told(SourceTrouble { code: WEBHOOK, detail, is_over: why.is_none() });
            }
            let _ = stop.wait(wait);
        }
    }
}

fn encode(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(kept).unwrap_or_default()
}

fn bearer(webhook: &Webhook) -> Result<Option<String>, String> {
    let Some(path) = &webhook.bearer_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(Some(token.to_owned())) } else { Err(format!("{} holds no token", path.display())) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use cairn_testkit::disk::{Faults, FaultyDisk};
    use serde_json::Value;

    use super::*;

    /// Takes what it is told to take.
    #[derive(Default)]
    struct Recipient {
        refuses: Mutex<u32>,
        bodies: Mutex<Vec<String>>,
    }

    impl Post for Recipient {
        fn post(&self, _: &str, bearer: Option<&str>, _: &str, body: &str) -> Result<(), String> {
            assert_eq!(bearer, None);
            let mut refuses = lock(&self.refuses);
            if *refuses > 0 {
                *refuses -= 1;
                return Err("it answered 500".to_owned());
            }
            lock(&self.bodies).push(body.to_owned());
            Ok(())
        }
    }

    fn config(form: Form) -> AlertConfig {
        let webhook = Webhook { url: "http://127.0.0.1:9/".to_owned(), bearer_file: None, form };
        AlertConfig { webhook: Some(webhook), ..AlertConfig::default() }
    }

    fn open(disk: &FaultyDisk, config: &AlertConfig) -> Alerts {
        Alerts::open(config, DeviceId([7; 16]), "Garden", Arc::new(disk.clone())).unwrap()
    }

    fn full(minute: u64, percent: u64) -> Watched {
        Watched { boot_ms: minute * 60_000, clock_error_ms: Some(1), queue_bytes: (percent, 100), ..Watched::default() }
    }

    fn disk() -> FaultyDisk {
        FaultyDisk::new(1, Faults::default())
    }

    #[test]
    fn an_alert_is_posted_with_all_that_it_says() {
        let (disk, post) = (disk(), Recipient::default());
        let alerts = open(&disk, &config(Form::Json));
        assert_eq!(alerts.look(&full(0, 90)).unwrap().len(), 1);
        assert_eq!((alerts.deliver(&post), alerts.deliver(&post)), (Delivered::Taken, Delivered::Nothing));
        let body: Value = serde_json::from_str(&lock(&post.bodies)[0]).unwrap();
        let words = "Garden: alert: the queue is 90 % full; when there is no room the oldest goes (ALERT-QUEUE)";
        for (key, expected) in [
            ("number", Value::from(1)),
            ("device", DeviceId([7; 16]).to_string().into()),
            ("code", "ALERT-QUEUE".into()),
            ("is_over", false.into()),
            ("at_ms", Value::Null),
            ("text", words.into()),
            ("content", words.into()),
        ] {
            assert_eq!(body[key], expected, "{key}");
        }
        let plain = open(&FaultyDisk::new(2, Faults::default()), &config(Form::Text));
        plain.look(&full(0, 90)).unwrap();
        plain.deliver(&post);
        assert_eq!(lock(&post.bodies)[1], words);
    }

    #[test]
    fn nobody_is_tried_for_ever_and_the_next_one_is_tried_too() {
        let (disk, post) = (disk(), Recipient::default());
        *lock(&post.refuses) = TRIES_MAX;
        let alerts = open(&disk, &config(Form::Json));
        alerts.look(&full(0, 90)).unwrap();
        alerts.look(&full(1, 10)).unwrap();
        let mut waits = Vec::new();
        let given_up = loop {
            match alerts.deliver(&post) {
                Delivered::Again(_, wait) => waits.push(wait.as_secs()),
                other => break other,
            }
        };
        assert_eq!(given_up, Delivered::GivenUp("it answered 500".to_owned()));
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!((alerts.deliver(&post), alerts.given_up()), (Delivered::Taken, 1));
        assert!(lock(&post.bodies)[0].contains("\"is_over\":true"));
    }

    #[test]
    fn what_was_decided_is_told_after_a_crash_at_any_write_and_what_was_told_is_not_repeated() {
        for crash_at in 1..40 {
            let faults = Faults { crash_at: Some(crash_at), ..Faults::default() };
            let (disk, post) = (FaultyDisk::new(crash_at, faults), Recipient::default());
            let alerts = open(&disk, &config(Form::Json));
            for minute in 0..8 {
                let _ = alerts.look(&full(minute * 61, if minute % 2 == 0 { 90 } else { 10 }));
                alerts.deliver(&post);
            }
            let crashed = disk.operations() >= crash_at;
            disk.cut_power(Faults::default());
            let alerts = open(&disk, &config(Form::Json));
            for minute in 8..10 {
                alerts.look(&full(minute * 61, if minute % 2 == 0 { 90 } else { 10 })).unwrap();
                while alerts.deliver(&post) != Delivered::Nothing {}
            }
            let mut seen: Vec<(u64, bool)> = Vec::new();
            for body in lock(&post.bodies).iter() {
                let body: Value = serde_json::from_str(body).unwrap();
                let event = (body["number"].as_u64().unwrap(), body["is_over"].as_bool().unwrap());
                // After a crash the last one may come again, under its number; nothing else.
                assert!(!seen.contains(&event) || crashed, "{crash_at}: {event:?} twice");
                if seen.last() != Some(&event) {
                    seen.push(event);
                }
            }
            assert!(
                seen.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1),
                "{crash_at}: {seen:?}"
            );
            assert!(seen.len() >= 2 && seen.last().unwrap().1, "{crash_at}: {seen:?}");
        }
    }

    #[test]
    fn on_a_full_disk_nothing_is_told_that_would_be_told_again_and_with_room_it_is() {
        let disk = disk();
        let alerts = open(&disk, &config(Form::Json));
        disk.fill();
        assert!(alerts.look(&full(0, 90)).is_err() && alerts.current().is_empty());
        disk.make_room();
        assert_eq!(alerts.look(&full(1, 90)).unwrap().len(), 1);
        assert_eq!(alerts.current().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let disk = disk();
        replace_whole(&disk, FILE, b"{\"ledger\":").unwrap();
        assert_eq!(open(&disk, &config(Form::Json)).look(&full(0, 90)).unwrap().len(), 1);
        replace_whole(&disk, FILE, &vec![b' '; 300_000]).unwrap();
        assert_eq!(open(&disk, &config(Form::Json)).look(&full(0, 90)).unwrap().len(), 1);
    }

    #[test]
    fn http_goes_where_it_was_told_to_and_nowhere_else() {
        for (answer, expected) in [
            ("HTTP/1.1 204 Taken\r\n", Ok(())),
            ("HTTP/1.1 302 There\r\nlocation: http://127.0.0.1:9/\r\n", Err("it answered 302".to_owned())),
            ("HTTP/1.1 500 No\r\n", Err("it answered 500".to_owned())),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/hook", listener.local_addr().unwrap());
            let serving = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"words") && stream.read(&mut byte).unwrap() == 1 {
                    request.push(byte[0]);
                }
                write!(stream, "{answer}content-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                String::from_utf8(request).unwrap().to_lowercase()
            });
            assert_eq!(Http::default().post(&url, Some("secret"), "text/plain", "words"), expected);
            let request = serving.join().unwrap();
            assert!(
                request.starts_with("post /hook http/1.1\r\n") && request.contains("authorization: bearer secret\r\n")
            );
        }
    }
}
