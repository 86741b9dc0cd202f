//! A simulator, a driver that talks to it, and a browser that does what it is told.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::sign_in::{SignIn, SignInOptions};
use kiro_auth::{HttpRefresherOptions, SystemClock};
use kiro_sim::Simulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[path = "http.rs"]
mod http;

pub(crate) use http::tls;

/// Options with the simulator for all hosts.
pub(crate) fn at(simulator: &Simulator) -> HttpRefresherOptions {
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(simulator.base_url().parse().unwrap());
    options
}

pub(crate) fn sign_in(simulator: &Simulator) -> SignIn {
    let mut options = SignInOptions::default();
    options.http = at(simulator);
    SignIn::new(tls(), options, Arc::new(SystemClock)).unwrap()
}

/// What a browser got to see.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) text: String,
}

/// How long a page may take. Only a test that fails waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Opens a page and does not follow where it leads.
pub(crate) async fn open(url: &str) -> Page {
    let page = timeout(DEADLINE, fetch(url)).await;
    page.expect("nobody answers the browser")
}

async fn fetch(url: &str) -> Page {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, _) = rest.split_once('/').unwrap();
    let target = &rest[authority.len()..];
    let address = authority.replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: Browser/1\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let location = text
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .map(str::to_owned);
    Page {
        status: text[9..12].parse().unwrap(),
        location,
        text,
    }
}

/// The address that a sign-in page sends the browser back to.
pub(crate) async fn way_back(url: &str) -> String {
    let page = open(url).await;
    page.location.unwrap_or_else(|| panic!("{}", page.text))
}

/// Opens a sign-in page and goes all the way.
pub(crate) async fn browse(url: &str) -> Page {
    open(&way_back(url).await).await
}
