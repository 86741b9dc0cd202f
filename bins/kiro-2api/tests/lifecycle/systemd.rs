//! As a unit of systemd: a socket that is passed, and what the service manager is told.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use super::*;

/// The program with a listening socket as its third descriptor, as systemd passes it. A shell stands between,
/// because it alone knows the process id beforehand and can move descriptors.
fn with_socket(folder: &Path, listener: &TcpListener) -> Command {
    const PASS: &str = r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", PASS, env!("CARGO_BIN_EXE_kiro-2api"), "serve"]);
    command.current_dir(folder).env_clear().env("HOME", folder);
    let socket = OwnedFd::from(listener.try_clone().unwrap());
    command.stdin(Stdio::from(socket)).stdout(Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_the_socket_that_was_passed_and_a_restart_drops_nothing() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let load = hand_over::Load::begin(address);
    for _ in 0..3 {
        let logged = Logged::start(with_socket(folder.path(), &listener), folder.path());
        assert_eq!(logged.address, address);
        load.more(10);
        logged.send("-TERM");
        assert_eq!(logged.ended(), Some(0));
    }
    // The last questions stand in the queue of the socket until somebody comes.
    let logged = Logged::start(with_socket(folder.path(), &listener), folder.path());
    load.end();
    logged.send("-TERM");
    assert_eq!(logged.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_what_happens() {
    let (sim, folder) = (simulator().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &sim, &with_account(&sim), "");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let told = || {
        let mut text = [0; 1024];
        let n_bytes = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..n_bytes]).into_owned()
    };
    // Whatever comes besides the watchdog.
    let next = || loop {
        let told = told();
        if !told.contains("WATCHDOG=1") {
            break told;
        }
    };
    let path = path.to_str().unwrap();
    let environment = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "100000")];
    let logged = Logged::serve(folder.path(), "127.0.0.1:0", &environment);
    assert_eq!(next().trim(), "READY=1");
    assert_eq!(told().trim(), "WATCHDOG=1");
    assert_eq!(told().trim(), "WATCHDOG=1");
    logged.send("-HUP");
    let reloading = next();
    assert!(
        reloading.contains("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(next().trim(), "READY=1");
    logged.send("-TERM");
    assert_eq!(next().trim(), "STOPPING=1");
    assert_eq!(logged.ended(), Some(0));
}
