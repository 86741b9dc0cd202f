//! Just enough of HTTP/1.1 to put load on a server: one connection, one request after the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No answer of a benchmark takes as long.
const SILENCE: Duration = Duration::from_secs(20);

/// A connection that stays open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

/// A response, read to its end.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
        })
    }

    /// Sends a request as [`request`] makes it and reads the response into `answer`.
    pub(crate) fn ask(&mut self, request: &[u8], answer: &mut Answer) -> io::Result<()> {
        self.stream.get_mut().write_all(request)?;
        read(&mut self.stream, answer)
    }
}

/// A request as bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n");
    (head + &headers + "\r\n" + body).into_bytes()
}

fn read(from: &mut impl BufRead, answer: &mut Answer) -> io::Result<()> {
    let status = line(from)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    answer.status = status.ok_or_else(|| broken("no status"))?;
    answer.body.clear();
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(from)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let value = value.trim().parse();
                length = value.map_err(|_| broken("bad length"))?;
            }
            "transfer-encoding" => chunked = true,
            _ => {}
        }
    }
    if !chunked {
        return append(from, length, &mut answer.body);
    }
    loop {
        let size = line(from)?;
        let size = u64::from_str_radix(&size, 16).map_err(|_| broken("bad chunk"))?;
        append(from, size, &mut answer.body)?;
        line(from)?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// The next line, without its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn append(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = from.take(length).read_to_end(body)?;
    if read as u64 == length {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(response: &str) -> io::Result<String> {
        let mut answer = Answer::default();
        read(&mut response.as_bytes(), &mut answer)?;
        Ok(String::from_utf8(answer.body).unwrap())
    }

    #[test]
    fn both_framings_are_read_to_their_end() {
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(body_of(plain).unwrap(), "hello");
        assert_eq!(body_of(chunked).unwrap(), "hello");
    }

    #[test]
    fn an_early_end_is_an_error() {
        assert!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell").is_err());
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n";
        assert!(body_of(chunked).is_err());
    }
}
