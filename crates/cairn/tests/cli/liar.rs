//! A gateway that lies: it hands everything on to a real one, and alters some of the answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A lie: in answers to paths that hold `path`, the first `from` becomes `to`.
#[derive(Clone, Copy)]
pub struct Lie {
    pub path: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// Starts a liar before the gateway at `url`; its own address. It lives as long as the test's process.
pub fn liar(url: &str, lie: Lie) -> String {
    let gateway = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away in between ends its own connection only.
            let _ = stream.and_then(|stream| answer(stream, &gateway, lie));
        }
    });
    address
}

/// Hands one request on, and closes.
fn answer(client: TcpStream, gateway: &str, lie: Lie) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (request, head) = read_head(&mut reader)?;
    let mut body = vec![0; length_of(&head)];
    reader.read_exact(&mut body)?;
    let mut upstream = TcpStream::connect(gateway)?;
    let kept = head.iter().filter(|line| {
        let name = line.to_lowercase();
        ["content-type:", "content-length:", "accept:", "host:"].iter().any(|kept| name.starts_with(kept))
    });
    let kept: String = kept.map(String::as_str).collect();
    write!(upstream, "{request}{kept}connection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    let mut reader = BufReader::new(upstream);
    let (status, head) = read_head(&mut reader)?;
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    if request.contains(lie.path) {
        let (from, to) = (lie.from.as_bytes(), lie.to.as_bytes());
        let at = said.windows(from.len()).position(|window| window == from);
        let at = at.unwrap_or_else(|| panic!("{request} is not answered with `{}`", lie.from));
        said.splice(at..at + from.len(), to.iter().copied());
    }
    let kind: String = head.iter().filter(|line| line.to_lowercase().starts_with("content-type:")).cloned().collect();
    let mut client = client;
    write!(client, "{status}{kind}content-length: {}\r\nconnection: close\r\n\r\n", said.len())?;
    client.write_all(&said)
}

/// The first line, and the header lines, each with its line end.
fn read_head(reader: &mut impl BufRead) -> std::io::Result<(String, Vec<String>)> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            return Ok((first, head));
        }
        head.push(line);
    }
}

fn length_of(head: &[String]) -> usize {
    let line = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(str::to_owned));
    line.map_or(0, |length| length.trim().parse().unwrap())
}
