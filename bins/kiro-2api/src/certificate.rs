//! TLS on the listener, from a certificate and its key in two PEM files, and those who sign the certificates of
//! clients in a third.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Reads the files. TLS 1.2 is the oldest version that rustls knows. With `client_ca`, only those get in who
/// show a certificate that one of its certificates has signed.
pub(crate) fn listener(
    cert: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let chain = chain(cert, &read(CERT, cert)?)?;
    let private_key = private_key(key, &read(KEY, key)?)?;
    let verifier = match client_ca {
        Some(file) => client_verifier(file)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let made = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private_key);
    let config = made.map_err(|source| match source {
        rustls::Error::InconsistentKeys(_) => CertificateError::Strangers {
            cert: cert.to_owned(),
            key: key.to_owned(),
        },
        rustls::Error::InvalidCertificate(_) => CertificateError::BadCertificate {
            file: cert.to_owned(),
            source,
        },
        _ => CertificateError::BadKey {
            file: key.to_owned(),
            source,
        },
    })?;
    Ok(Arc::new(config))
}

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";
const CLIENT_CA: &str = "server.tls.client_ca";

/// Why there is no TLS. Nothing here repeats what a file holds, because that may be the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("{name}: {} cannot be read; {}", file.display(), remedy(source.kind()))]
    Unreadable {
        name: &'static str,
        file: PathBuf,
        source: io::Error,
    },
    #[error("{name}: {} is damaged: {what}; get it again from where it was made", file.display())]
    Damaged {
        name: &'static str,
        file: PathBuf,
        what: &'static str,
    },
    #[error(
        "{CERT}: {} holds no certificate{}; it must be in PEM, beginning with `-----BEGIN CERTIFICATE-----`, the server's own certificate before those of its issuers",
        file.display(),
        if *holds_key { " but a private key, so the two files may have changed places" } else { "" }
    )]
    NoCertificate { file: PathBuf, holds_key: bool },
    #[error(
        "{KEY}: {} holds no private key{}; it must be in PEM, beginning with `-----BEGIN PRIVATE KEY-----` or the same with RSA or EC before PRIVATE",
        file.display(),
        if *holds_certificate { " but a certificate, so the two files may have changed places" } else { "" }
    )]
    NoKey {
        file: PathBuf,
        holds_certificate: bool,
    },
    #[error(
        "{KEY}: the private key in {0} is encrypted, and nobody is asked for a pass phrase; `openssl pkey -in {0} -out NEW_FILE` decrypts it",
        file.display()
    )]
    Encrypted { file: PathBuf },
    #[error(
        "the private key in {} does not belong to the first certificate in {}; the two come from the same request, and the server's own certificate comes first",
        key.display(),
        cert.display()
    )]
    Strangers { cert: PathBuf, key: PathBuf },
    #[error("{CERT}: the first certificate in {} is not usable; an X.509 certificate of version 3 is needed", file.display())]
    BadCertificate {
        file: PathBuf,
        source: rustls::Error,
    },
    #[error(
        "{name}: {} holds no certificate; it must hold those of the authorities that are trusted, in PEM",
        file.display()
    )]
    NoAuthority { name: &'static str, file: PathBuf },
    #[error("{name}: a certificate in {} is not usable; X.509 certificates of version 3 are needed", file.display())]
    BadAuthority {
        name: &'static str,
        file: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{KEY}: the private key in {} is not usable; RSA, ECDSA (P-256, P-384, P-521) and Ed25519 are", file.display())]
    BadKey {
        file: PathBuf,
        source: rustls::Error,
    },
}

fn read(name: &'static str, file: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(file).map_err(|source| CertificateError::Unreadable {
        name,
        file: file.to_owned(),
        source,
    })
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => {
            "allow the user that kiro-2api runs as to read it and to enter its folder"
        }
        io::ErrorKind::NotFound => {
            "check the path; one that is not absolute begins in the folder where kiro-2api is started"
        }
        _ => "name a file in PEM",
    }
}

fn chain(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(CERT, file, &error))?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate {
            file: file.to_owned(),
            holds_key: PrivateKeyDer::from_pem_slice(pem).is_ok(),
        });
    }
    Ok(chain)
}

fn client_verifier(file: &Path) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let authorities = authorities(CLIENT_CA, file)?;
    let verifier = WebPkiClientVerifier::builder(authorities.into()).build();
    verifier.map_err(|error| bad_authority(CLIENT_CA, file, error.into()))
}

/// Those whose signature is trusted, from the file that a setting names.
pub(crate) fn authorities(
    name: &'static str,
    file: &Path,
) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&read(name, file)?) {
        let authority = authority.map_err(|error| damaged(name, file, &error))?;
        let added = roots.add(authority);
        added.map_err(|error| bad_authority(name, file, error.into()))?;
    }
    if roots.is_empty() {
        let file = file.to_owned();
        return Err(CertificateError::NoAuthority { name, file });
    }
    Ok(roots)
}

fn bad_authority(
    name: &'static str,
    file: &Path,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> CertificateError {
    let file = file.to_owned();
    CertificateError::BadAuthority { name, file, source }
}

fn private_key(file: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    // `BEGIN ENCRYPTED PRIVATE KEY` (RFC 7468, 11), or `Proc-Type: 4,ENCRYPTED` below any other (RFC 1421).
    let is_encrypted = String::from_utf8_lossy(pem).contains("ENCRYPTED");
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if is_encrypted => CertificateError::Encrypted {
            file: file.to_owned(),
        },
        pem::Error::NoItemsFound => CertificateError::NoKey {
            file: file.to_owned(),
            holds_certificate: CertificateDer::from_pem_slice(pem).is_ok(),
        },
        error => damaged(KEY, file, &error),
    })
}

/// The library's own words may quote the file.
fn damaged(name: &'static str, file: &Path, error: &pem::Error) -> CertificateError {
    let what = match error {
        pem::Error::MissingSectionEnd { .. } => "a line `-----END …-----` is missing",
        pem::Error::IllegalSectionStart { .. } => "a line `-----BEGIN …-----` is not whole",
        pem::Error::Base64Decode(_) => "something between BEGIN and END is not base64",
        _ => "it is not PEM",
    };
    CertificateError::Damaged {
        name,
        file: file.to_owned(),
        what,
    }
}

#[cfg(test)]
#[path = "../../../tests/support/certificate.rs"]
mod made;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::made::{Made, pem};
    use super::*;

    /// What is said about a certificate and a key that are written to files.
    fn said(cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        fs::write(&cert_file, cert).unwrap();
        fs::write(&key_file, key).unwrap();
        match listener(&cert_file, &key_file, None) {
            Ok(_) => "fine".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_certificate_with_its_key_is_taken_whatever_lies_beside_them() {
        let (made, issuer) = (Made::new(), Made::new());
        assert_eq!(said(&made.cert, &made.key), "fine");
        let chain = format!("subject=CN = x\n{}{}", made.cert, issuer.cert);
        let key = format!("{}{}", pem("EC PARAMETERS", b"x"), made.key);
        assert_eq!(said(chain, key), "fine");
        let both = format!("{}{}", made.key, made.cert).replace('\n', "\r\n");
        assert_eq!(said(&both, &both), "fine");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file_and_its_remedy() {
        let (made, other) = (Made::new(), Made::new());
        let (cert, key) = (made.cert.as_str(), made.key.as_str());
        let halves = |text: &str| text[..text.len() / 2].to_owned();
        let garbled = |text: &str| text.replacen('M', "!", 1);
        let encrypted = [
            pem("ENCRYPTED PRIVATE KEY", b"x"),
            key.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n", 1),
        ];
        for (cert, key, words) in [
            (
                "",
                key,
                ["c.pem holds no certificate;", "BEGIN CERTIFICATE"],
            ),
            (
                key,
                key,
                [
                    "c.pem holds no certificate but a private key",
                    "changed places",
                ],
            ),
            (
                cert,
                "",
                ["k.pem holds no private key;", "BEGIN PRIVATE KEY"],
            ),
            (
                cert,
                cert,
                [
                    "k.pem holds no private key but a certificate",
                    "changed places",
                ],
            ),
            (cert, &encrypted[0], ["k.pem is encrypted", "openssl pkey"]),
            (cert, &encrypted[1], ["k.pem is encrypted", "openssl pkey"]),
            (&halves(cert), key, ["c.pem is damaged", "END"]),
            (cert, &halves(key), ["k.pem is damaged", "END"]),
            (&garbled(cert), key, ["c.pem is damaged", "base64"]),
            (cert, &garbled(key), ["k.pem is damaged", "base64"]),
            (
                &cert.replacen("-----\n", "\n", 1),
                key,
                ["c.pem is damaged", "BEGIN"],
            ),
            (cert, &other.key, ["k.pem does not belong to", "c.pem"]),
            (
                &format!("{}{cert}", other.cert),
                key,
                ["k.pem does not belong to", "comes first"],
            ),
            (
                &pem("CERTIFICATE", b"x"),
                key,
                ["c.pem is not usable", "X.509"],
            ),
            (
                cert,
                &pem("PRIVATE KEY", b"x"),
                ["k.pem is not usable", "Ed25519"],
            ),
        ] {
            let said = said(cert, key);
            assert!(
                words.iter().all(|words| said.contains(words)),
                "{words:?} {said}"
            );
            let mut secret = made.key.lines().filter(|line| !line.starts_with('-'));
            assert!(secret.all(|line| !said.contains(&line[..12])), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_authorities_of_clients_is_said_too() {
        let (made, folder) = (Made::new(), tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let (cert, key) = (write("c.pem", &made.cert), write("k.pem", &made.key));
        for (authorities, words) in [
            (&made.cert, ""),
            (&made.key, "a.pem holds no certificate"),
            (&String::new(), "a.pem holds no certificate"),
            (&pem("CERTIFICATE", b"x"), "a.pem is not usable"),
            (&made.cert.replacen('M', "!", 1), "a.pem is damaged"),
        ] {
            let file = write("a.pem", authorities);
            let said = match listener(&cert, &key, Some(&file)) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            assert!(
                said.contains(words) && said.is_empty() == words.is_empty(),
                "{said}"
            );
            assert!(
                said.is_empty() || said.starts_with("server.tls.client_ca: "),
                "{said}"
            );
        }
        let missing = folder.path().join("m.pem");
        let error = listener(&cert, &key, Some(&missing))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("server.tls.client_ca: "), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_remedy() {
        let (made, folder) = (Made::new(), tempfile::tempdir().unwrap());
        let (cert, missing) = (folder.path().join("c.pem"), folder.path().join("m.pem"));
        fs::write(&cert, made.cert).unwrap();
        for (cert, key, words) in [
            (
                &*cert,
                &*missing,
                ["server.tls.key: ", "m.pem cannot be read; check the path"],
            ),
            (
                &missing,
                &missing,
                ["server.tls.cert: ", "m.pem cannot be read; check the path"],
            ),
            (
                folder.path(),
                &missing,
                ["server.tls.cert: ", "name a file"],
            ),
        ] {
            let error = listener(cert, key, None).unwrap_err().to_string();
            assert!(words.iter().all(|words| error.contains(words)), "{error}");
        }
        // Those who may do everything can read every file, and tests may be run by them.
        let forbidden = CertificateError::Unreadable {
            name: KEY,
            file: missing,
            source: io::ErrorKind::PermissionDenied.into(),
        };
        assert!(
            forbidden.to_string().contains("allow the user"),
            "{forbidden}"
        );
    }
}
