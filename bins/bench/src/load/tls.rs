//! A certificate of the run's own, which all who take part trust.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Failure;

/// A folder with `cert.pem` and `key.pem`, good for 127.0.0.1 and, because nginx looks at names alone, for `bench`.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    folder: PathBuf,
}

impl Identity {
    /// Makes one.
    pub(super) fn write(folder: &Path) -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1", "bench"].map(str::to_owned))?;
        fs::write(folder.join("cert.pem"), made.cert.pem())?;
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
        Self::read(folder)
    }

    /// Takes one that was made.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let folder = folder.to_owned();
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn cert(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    /// For who listens.
    pub(super) fn server(&self) -> Result<Arc<ServerConfig>, Failure> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(self.cert())?],
                PrivateKeyDer::from_pem_file(self.key())?,
            )?;
        Ok(Arc::new(config))
    }

    /// For who connects.
    pub(super) fn client(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.cert())?)?;
        trusting(roots)
    }

    /// For who connects without TLS, and is asked for a configuration all the same.
    pub(super) fn nobody() -> Result<ClientConfig, Failure> {
        trusting(RootCertStore::empty())
    }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
