//! The service, as little of it as will do: whatever is asked gets the same answer, in the same pieces.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An answer in the pieces in which it is written. Between two of them whoever reads has a turn.
pub(super) type Pieces = Arc<[Bytes]>;

/// Answers until the runtime ends.
pub(super) async fn serve(listener: TcpListener, pieces: Pieces) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer_all(stream, pieces.clone()));
    }
}

async fn answer_all(mut stream: TcpStream, pieces: Pieces) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    while receive(&mut stream, &mut buffer).await? {
        for piece in &*pieces {
            stream.write_all(piece).await?;
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Reads one request, and forgets it; `false` at the end of the connection.
async fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<bool> {
    let mut filled = 0;
    let (head, length) = loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(false);
        }
        filled += read;
        if let Some(found) = head_and_length(&buffer[..filled]) {
            break found;
        }
    };
    let mut rest = (head + length).saturating_sub(filled);
    while rest > 0 {
        let most = rest.min(buffer.len());
        let read = stream.read(&mut buffer[..most]).await?;
        if read == 0 {
            return Ok(false);
        }
        rest -= read;
    }
    Ok(true)
}

/// The length of a head that is there, and the length of the body that it announces.
fn head_and_length(received: &[u8]) -> Option<(usize, usize)> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    Some((end, length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_where_its_body_ends() {
        let head = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(head_and_length(head), Some((head.len(), 5)));
        assert_eq!(head_and_length(b"GET / HTTP/1.1\r\n\r\n"), Some((18, 0)));
        assert_eq!(head_and_length(b"GET / HTTP/1.1\r\n"), None);
    }
}
