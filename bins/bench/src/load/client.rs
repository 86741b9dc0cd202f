//! A client: one connection, one request after the other, every text read and compared.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::clock;
use super::plan::{Plan, Reader};
use crate::Failure;

/// No answer of a measurement is silent for as long.
const SILENCE: Duration = Duration::from_secs(60);

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// An open connection.
pub(super) struct Connection {
    stream: Stream,
    part: Box<[u8]>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An answer, read whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// From the request to the first byte of the body, in nanoseconds.
    pub(super) first: u64,
    /// From the request to the end.
    pub(super) whole: u64,
}

impl Connection {
    pub(super) fn open(target: &Target) -> Result<Self, Failure> {
        Self::open_with(target, 64 * 1024)
    }

    /// With a buffer of so many bytes: of ten thousand connections none should have a large one.
    pub(super) fn open_with(target: &Target, buffer: usize) -> Result<Self, Failure> {
        let tcp = TcpStream::connect(target.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(SILENCE))?;
        let stream = match &target.tls {
            Some(config) => {
                let tls = ClientConnection::new(config.clone(), target.address.ip().into())?;
                Stream::Tls(Box::new(StreamOwned::new(tls, tcp)))
            }
            None => Stream::Plain(tcp),
        };
        let part = vec![0; buffer].into();
        Ok(Self { stream, part })
    }

    /// Sends a request whose answer nobody reads.
    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let stream = self.stream();
        stream.write_all(request)?;
        stream.flush()
    }

    /// Asks, reads to the end, and holds the texts against the plan. `transit` gets how long each event was under way.
    ///
    /// # Errors
    ///
    /// The connection broke, or the answer is not what it must be. One wrong byte voids the run.
    pub(super) fn ask(
        &mut self,
        request: &[u8],
        plan: Plan,
        mut transit: impl FnMut(u64),
    ) -> Result<Answer, Failure> {
        let asked = clock::now();
        self.send(request)?;
        let mut reader = Reader::new(plan);
        let mut first = None;
        self.read(|bytes, now| {
            first.get_or_insert(now);
            Ok(reader.read(bytes, now, &mut transit)?)
        })?;
        if !reader.is_whole() {
            let (n_read, events) = (reader.events(), plan.events);
            return Err(format!("{n_read} events of {events}, and the end").into());
        }
        Ok(Answer {
            first: first.unwrap_or_default().saturating_sub(asked),
            whole: clock::now().saturating_sub(asked),
        })
    }

    /// Asks and gives the body.
    pub(super) fn fetch(&mut self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        self.send(request)?;
        let mut body = Vec::new();
        self.read(|bytes, _| {
            body.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(body)
    }

    fn stream(&mut self) -> &mut dyn Duplex {
        match &mut self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream,
        }
    }

    /// Reads a response; its body goes to `take` as it arrives.
    fn read(
        &mut self,
        mut take: impl FnMut(&[u8], u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut head = Vec::new();
        let mut part = std::mem::take(&mut self.part);
        let (mut rest, mut body) = loop {
            let n_read = self.stream().read(&mut part)?;
            if n_read == 0 {
                return Err("the connection ended before the answer began".into());
            }
            head.extend_from_slice(&part[..n_read]);
            if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
                let rest = head.split_off(end + 4);
                break (rest, Body::of(&head)?);
            }
        };
        loop {
            let now = clock::now();
            let mut failed = None;
            let is_end = body.read(&rest, |bytes| {
                if failed.is_none() {
                    failed = take(bytes, now).err();
                }
            })?;
            if let Some(failed) = failed {
                let head = String::from_utf8_lossy(&head);
                return Err(format!("{failed}; the answer began with\n{head}").into());
            }
            if is_end {
                self.part = part;
                return Ok(());
            }
            let n_read = self.stream().read(&mut part)?;
            if n_read == 0 {
                return Err("the connection ended before the answer did".into());
            }
            rest.clear();
            rest.extend_from_slice(&part[..n_read]);
        }
    }
}

trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

/// Where the body of a response ends.
#[derive(Debug)]
enum Body {
    Length(usize),
    Chunked(Chunk),
}

/// Where in a chunked body (RFC 9112, 7.1) the next byte is.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Size(usize),
    Data(usize),
    /// The line end after so much is the last one of a chunk, or of the body.
    DataEnd,
    Last(usize),
}

impl Body {
    fn of(head: &[u8]) -> Result<Self, Failure> {
        let head = std::str::from_utf8(head)?.to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(format!("answered wrongly:\n{head}").into());
        }
        if head.contains("transfer-encoding: chunked") {
            return Ok(Self::Chunked(Chunk::Size(0)));
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.ok_or("an answer without a length")?;
        Ok(Self::Length(length.trim().parse()?))
    }

    /// Reads on; says whether this was the end.
    fn read(&mut self, mut bytes: &[u8], mut data: impl FnMut(&[u8])) -> Result<bool, Failure> {
        match self {
            Self::Length(left) => {
                data(bytes);
                *left = left
                    .checked_sub(bytes.len())
                    .ok_or("more than was announced")?;
                Ok(*left == 0)
            }
            Self::Chunked(at) => {
                while let Some((byte, rest)) = bytes.split_first() {
                    *at = match *at {
                        Chunk::Data(left) => {
                            let (now, later) = bytes.split_at(left.min(bytes.len()));
                            data(now);
                            bytes = later;
                            match left - now.len() {
                                0 => *at = Chunk::DataEnd,
                                left => *at = Chunk::Data(left),
                            }
                            continue;
                        }
                        Chunk::Size(0) if *byte == b'\r' => Chunk::Last(3),
                        Chunk::Size(size) => match byte {
                            b'\r' => Chunk::Size(size),
                            b'\n' => Chunk::Data(size),
                            digit => {
                                let digit = char::from(*digit).to_digit(16);
                                Chunk::Size(size * 16 + digit.ok_or("no size of a chunk")? as usize)
                            }
                        },
                        Chunk::DataEnd if *byte == b'\n' => Chunk::Size(0),
                        Chunk::DataEnd => Chunk::DataEnd,
                        Chunk::Last(1) => return Ok(true),
                        Chunk::Last(left) => Chunk::Last(left - 1),
                    };
                    bytes = rest;
                }
                Ok(false)
            }
        }
    }
}

/// A request as bytes.
pub(super) fn request(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n");
    (head + &headers + "\r\n" + body).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_read_wherever_it_is_cut() {
        let whole = b"5\r\nHello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            let mut body =
                Body::of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            let mut read = Vec::new();
            let ends: Vec<bool> = [&whole[..cut], &whole[cut..]]
                .map(|part| {
                    body.read(part, |data| read.extend_from_slice(data))
                        .unwrap()
                })
                .into();
            assert_eq!(ends, [false, true]);
            assert_eq!(read, b"Helloabcdefghijklmnopqrstuvwxyz");
        }
    }

    #[test]
    fn a_refusal_is_no_answer() {
        assert!(Body::of(b"HTTP/1.1 503 Busy\r\ncontent-length: 1\r\n\r\n").is_err());
        let mut body = Body::of(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n").unwrap();
        assert!(body.read(b"abc", |_| ()).unwrap());
        assert!(body.read(b"d", |_| ()).is_err());
    }
}
