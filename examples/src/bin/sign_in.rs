//! Signs in with a device code and saves the login: `sign_in FILE [START_URL REGION]`.
//!
//! Without a start URL it is AWS Builder ID. `--simulate` in front asks a simulator inside the program
//! instead of the real service; there the code is approved after a second or two.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use kiro_auth::sign_in::{Directory, SignIn, SignInOptions};
use kiro_auth::{CredentialStore, FileStore, SystemClock};
use kiro_sim::{SimOptions, Simulator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut options = SignInOptions::default();
    let mut simulator = None;
    if arguments.first().is_some_and(|first| first == "--simulate") {
        arguments.remove(0);
        let simulator = simulator.insert(Simulator::start(SimOptions::default()).await?);
        options.http.auth_endpoint = Some(simulator.base_url().parse()?);
    }
    let (file, directory) = match arguments.as_slice() {
        [file] => (Path::new(file), Directory::builder_id()),
        [file, start_url, region] => (
            Path::new(file),
            Directory::identity_center(start_url, region)?,
        ),
        _ => return Err("usage: sign_in [--simulate] FILE [START_URL REGION]".into()),
    };
    // A store keeps what it does not know of a file that exists, and this login shall stand alone.
    if file.exists() {
        return Err(format!("{} exists already", file.display()).into());
    }

    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let sign_in = SignIn::new(tls, options, Arc::new(SystemClock))?;

    let device = sign_in.device(&directory).await?;
    println!("open    {}", device.page());
    println!("compare {}", device.user_code());
    let credential = device.wait().await?;
    FileStore::new(file).save(&credential).await?;
    println!("saved   {} in {}", credential.login, file.display());
    Ok(())
}
