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
