//! Closing the listener without turning away those who have connected.
//!
//! The kernel completes handshakes by itself. Whoever stands in the queue of a listener that is closed is
//! reset, although others listen on the same port: each of these listeners has a queue of its own. So the last
//! ones are accepted first; and where others are there to take over, new ones are sent to them before.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// How long handshakes that have begun may take to get into the queue; a few round trips around the world.
/// Less than the second after which a client repeats what was not answered.
pub(crate) const HANDSHAKES: Duration = Duration::from_millis(500);

/// Leaves new connections to the others who listen on this port: their first packet is dropped here, and
/// when the client repeats it after a second, this listener is gone. `false` where that is not possible; then a
/// connection that comes between the last accept and the close is reset.
pub(crate) fn leave_to_others(listener: &TcpListener) -> bool {
    match drop_syn(listener) {
        Ok(is_known) => is_known,
        Err(error) => {
            tracing::warn!(%error, "new connections could not be left to the next process");
            false
        }
    }
}

/// A filter on the packets of a listener begins at the TCP header; its fourteenth byte holds the flags, and
/// SYN without a connection is the beginning of one (RFC 9293, 3.1).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn drop_syn(listener: &TcpListener) -> std::io::Result<bool> {
    use socket2::{SockFilter, SockRef};

    // Opcodes as in linux/bpf_common.h.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const WHOLE: u32 = u32::MAX;
    const NOTHING: u32 = 0;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, NOTHING),
        SockFilter::new(RETURN, 0, 0, WHOLE),
    ];
    SockRef::from(listener).attach_filter(&filter)?;
    Ok(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn drop_syn(_: &TcpListener) -> std::io::Result<bool> {
    Ok(false)
}

/// Closes the listener and gives those who stood in its queue.
pub(crate) fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut last = Vec::new();
    // The runtime may not have heard of the newest yet, so the kernel is asked.
    let Ok(listener) = listener.into_std() else {
        return last;
    };
    // It does not block, so this ends with the queue.
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            last.push((stream, peer));
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_in_the_queue_are_accepted_before_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..5 {
            waiting.push(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(close(listener).len(), waiting.len());
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn new_ones_are_left_to_the_other_listener_and_nobody_is_refused() {
        let bind = |address: SocketAddr| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseport(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(64).unwrap()
        };
        let old = bind(([127, 0, 0, 1], 0).into());
        let address = old.local_addr().unwrap();
        let new = bind(address);
        assert!(leave_to_others(&old));
        let mut coming: tokio::task::JoinSet<_> =
            (0..32).map(|_| TcpStream::connect(address)).collect();
        let mut came = Vec::new();
        // About half of them come to the other one at once; the rest sends its first packet again.
        came.push(coming.join_next().await.unwrap().unwrap().unwrap());
        assert_eq!(close(old).len(), 0);
        while let Some(connected) = coming.join_next().await {
            came.push(connected.unwrap().unwrap());
        }
        for _ in &came {
            new.accept().await.unwrap();
        }
        assert_eq!(came.len(), 32);
    }
}
