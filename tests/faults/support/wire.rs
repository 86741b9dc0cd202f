//! A connection that sends what it is told to, byte for byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Answer, SOON};

/// A connection to the gateway.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// What was read and not taken yet.
    read: Vec<u8>,
    /// Whether the other side has ended it.
    over: bool,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::try_open(address).await.unwrap()
    }

    pub(crate) async fn try_open(address: SocketAddr) -> io::Result<Self> {
        Self::of(timeout(SOON, TcpStream::connect(address)).await??)
    }

    /// A connection whose side of the kernel takes little that nobody reads.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let connecting = timeout(SOON, socket.connect(address));
        Self::of(connecting.await.unwrap().unwrap()).unwrap()
    }

    /// A connection from another address of this machine.
    pub(crate) async fn open_from(from: &str, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind((from.parse::<Ipv4Addr>().unwrap(), 0).into())
            .unwrap();
        let connecting = timeout(SOON, socket.connect(address));
        Self::of(connecting.await.unwrap().unwrap()).unwrap()
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, over) = (Vec::new(), false);
        Ok(Self { stream, read, over })
    }

    /// Sends bytes. The other side may have hung up, which what it sent before tells better.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        timeout(SOON, self.stream.write_all(bytes.as_ref())).await?
    }

    /// Says that nothing more is sent, and goes on to read.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Waits until `part` has come; it stays to be read. `false` when the other side ends before.
    pub(crate) async fn until(&mut self, part: &str) -> bool {
        loop {
            if find(&self.read, part.as_bytes()).is_some() {
                return true;
            }
            if !self.more().await {
                return false;
            }
        }
    }

    /// One whole response.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = self.try_answer().await;
        answer.expect("the connection ended without an answer")
    }

    /// One response, or nothing when the other side has ended the connection instead.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        if !self.until("\r\n\r\n").await {
            return None;
        }
        let end = find(&self.read, b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
            ended: false,
        };
        let length = answer.header("content-length").map(|n| n.parse().unwrap());
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        answer.ended = match length {
            _ if status / 100 == 1 || status == 204 => true,
            Some(length) => self.take(length, &mut answer.body).await,
            None if chunked => self.chunks(&mut answer.body).await,
            None => {
                while self.more().await {}
                answer.body.append(&mut self.read);
                true
            }
        };
        Some(answer)
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// What has been read so far and not taken.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.read
    }

    /// Takes bytes from the front of what was read.
    pub(crate) fn drain(&mut self, n: usize) -> Vec<u8> {
        self.read.drain(..n).collect()
    }

    /// Reads once; `false` at the end, or when the connection breaks.
    pub(crate) async fn more(&mut self) -> bool {
        if self.over {
            return false;
        }
        let read = timeout(SOON, self.stream.read_buf(&mut self.read));
        let read = read.await.unwrap_or_else(|_| {
            panic!(
                "nothing more comes after {:?}",
                String::from_utf8_lossy(&self.read)
            )
        });
        self.over = !read.is_ok_and(|n| n > 0);
        !self.over
    }

    async fn take(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        while self.read.len() < length {
            if !self.more().await {
                into.append(&mut self.read);
                return false;
            }
        }
        into.extend(self.read.drain(..length));
        true
    }

    async fn chunks(&mut self, into: &mut Vec<u8>) -> bool {
        loop {
            if !self.until("\r\n").await {
                return false;
            }
            let end = find(&self.read, b"\r\n").unwrap();
            let line = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
            let length = usize::from_str_radix(&line[..end], 16).unwrap();
            let whole = self.take(length, into).await;
            if !whole || !self.take(2, &mut Vec::new()).await {
                return false;
            }
            if length == 0 {
                return true;
            }
        }
    }
}

fn find(within: &[u8], part: &[u8]) -> Option<usize> {
    within.windows(part.len()).position(|window| window == part)
}
