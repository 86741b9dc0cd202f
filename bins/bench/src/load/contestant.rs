//! Who is measured: the gateway, and what it is to be compared with.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::client::{Connection, Target, request};
use super::plan::Plan;
use super::process::Process;
use super::tls::Identity;
use crate::Failure;
use crate::conversation;

const KEY: &str = "key-of-the-measurement";

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Gateway,
    /// Bare hyper, hyper-util's client.
    Pooled,
    /// Bare hyper, the upstream connection driven by the task that serves the client.
    Inline,
    /// As Debian has it, one worker, without buffering.
    Nginx,
}

impl Server {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "Kiro-2API",
            Self::Pooled => "hyper, pooled client",
            Self::Inline => "hyper, inline",
            Self::Nginx => "nginx",
        }
    }

    /// As a part of a figure's name.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Pooled => "hyper_pooled",
            Self::Inline => "hyper_inline",
            Self::Nginx => "nginx",
        }
    }
}

/// Where everything of a run is.
#[derive(Debug)]
pub(super) struct Place {
    /// The program under measurement.
    pub(super) program: PathBuf,
    /// For logs, certificates and configuration.
    pub(super) folder: PathBuf,
    /// With it both sides of all servers speak TLS.
    pub(super) identity: Option<Identity>,
    /// Whether each server has one processor for itself, and the rest of the run the other.
    pub(super) pinned: bool,
}

/// The simulated service.
#[derive(Debug)]
pub(super) struct Service {
    process: Process,
    target: Target,
}

/// What the service has counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Connections that were opened.
    pub(super) connections: u64,
    /// Of all paced events since the last look: nanoseconds by which 99 % were not later than the timetable.
    pub(super) slip: u64,
}

impl Place {
    pub(super) fn service(&self) -> Result<Service, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("service")
            .args(self.identity.as_ref().map(Identity::folder));
        let process = Process::start(&mut command)?;
        let target = self.target(process.address)?;
        Ok(Service { process, target })
    }

    fn target(&self, address: SocketAddr) -> Result<Target, Failure> {
        let tls = match &self.identity {
            Some(identity) => Some(Arc::new(identity.client()?)),
            None => None,
        };
        Ok(Target { address, tls })
    }

    /// A command that runs on the processor of the one who is measured.
    fn command(&self, program: &Path) -> Command {
        if self.pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            return command;
        }
        Command::new(program)
    }

    /// Starts a server before the service.
    pub(super) fn start(&self, server: Server, service: &Service) -> Result<Contestant, Failure> {
        let upstream = service.process.address;
        let process = match server {
            Server::Gateway => self.gateway(upstream)?,
            Server::Pooled => self.passthrough("pooled", upstream)?,
            Server::Inline => self.passthrough("inline", upstream)?,
            Server::Nginx => self.nginx(upstream)?,
        };
        let target = self.target(process.address)?;
        Ok(Contestant {
            server,
            process,
            target,
        })
    }

    fn gateway(&self, upstream: SocketAddr) -> Result<Process, Failure> {
        let scheme = if self.identity.is_some() {
            "https"
        } else {
            "http"
        };
        let mut command = self.command(&self.program);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .current_dir(&self.folder);
        command.envs([("HOME", self.folder.as_os_str())]);
        command.envs([
            ("PROXY_API_KEY", KEY),
            ("KIRO_API_KEY", "ksk_of-the-measurement"),
            (
                "KIRO_2API_UPSTREAM__ENDPOINT",
                &format!("{scheme}://{upstream}"),
            ),
            ("KIRO_2API_STORE__KIND", "memory"),
            ("KIRO_2API_QUOTA__WARN_BELOW", "0"),
            ("KIRO_2API_SERVER__MAX_CONNECTIONS", "0"),
            ("KIRO_2API_SERVER__MAX_EXCHANGES", "0"),
            ("KIRO_2API_SERVER__MAX_BODY_MEMORY", "1GiB"),
            ("LOG_LEVEL", "error"),
        ]);
        if let Some(identity) = &self.identity {
            command.env("KIRO_2API_UPSTREAM__CA", identity.cert());
            command.env("KIRO_2API_SERVER__TLS__CERT", identity.cert());
            command.env("KIRO_2API_SERVER__TLS__KEY", identity.key());
        }
        Process::start(&mut command)
    }

    fn passthrough(&self, kind: &str, upstream: SocketAddr) -> Result<Process, Failure> {
        let mut command = self.command(&std::env::current_exe()?);
        command.args(["passthrough", kind, &upstream.to_string()]);
        command.args(self.identity.as_ref().map(Identity::folder));
        Process::start(&mut command)
    }

    fn nginx(&self, upstream: SocketAddr) -> Result<Process, Failure> {
        // nginx cannot choose a free port itself.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder = self.folder.join(format!("nginx-{}", address.port()));
        std::fs::create_dir_all(&folder)?;
        let configuration = nginx_configuration(address, upstream, self.identity.as_ref(), &folder);
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let mut command = self.command(Path::new("nginx"));
        command
            .arg("-c")
            .arg(file)
            .arg("-p")
            .arg(&folder)
            .stderr(Stdio::null());
        Process::start_at(&mut command, address)
    }
}

/// One worker, no buffering of answers, upstream connections kept, no log.
fn nginx_configuration(
    address: SocketAddr,
    upstream: SocketAddr,
    identity: Option<&Identity>,
    folder: &Path,
) -> String {
    let (ssl, tls, scheme) = match identity {
        None => ("", String::new(), "http"),
        Some(identity) => {
            let (cert, key) = (identity.cert(), identity.key());
            let (cert, key) = (cert.display(), key.display());
            let tls = format!(
                "ssl_certificate {cert};
    ssl_certificate_key {key};
    proxy_ssl_trusted_certificate {cert};
    proxy_ssl_verify on;
    proxy_ssl_name bench;"
            );
            (" ssl", tls, "https")
        }
    };
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log /dev/null crit;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream service {{ server {upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen {address}{ssl} backlog=4096;
    client_max_body_size 16m;
    client_body_buffer_size 2m;
    {tls}
    location / {{
      proxy_pass {scheme}://service;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"
    )
}

impl Service {
    /// What it has counted; the slips begin anew.
    pub(super) fn counts(&self) -> Result<Counts, Failure> {
        let body = self.fetch("/counts")?;
        let told: Value = serde_json::from_slice(&body)?;
        let number = |name: &str| told[name].as_u64().ok_or("the service tells no number");
        Ok(Counts {
            connections: number("connections")?,
            slip: number("slip_p99")?,
        })
    }

    /// The body of the last question.
    fn last(&self) -> Result<Vec<u8>, Failure> {
        self.fetch("/last")
    }

    fn fetch(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        Connection::open(&self.target)?.fetch(request.as_bytes())
    }
}

/// A server that runs.
#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) server: Server,
    pub(super) process: Process,
    pub(super) target: Target,
}

/// An interface of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Chat,
    Responses,
    Messages,
}

impl Surface {
    pub(super) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// A request with a short question.
    pub(super) fn question(self, plan: Plan) -> Vec<u8> {
        let question = plan.question();
        let body = match self {
            Self::Chat => conversation::request(Vec::new(), Vec::new(), &question),
            Self::Responses => {
                json!({"model": conversation::MODEL, "stream": true, "store": false, "input": question})
            }
            Self::Messages => json!({
                "model": conversation::MODEL, "stream": true, "max_tokens": 32_000,
                "messages": [{"role": "user", "content": question}],
            }),
        };
        self.request(&body)
    }

    pub(super) fn request(self, body: &Value) -> Vec<u8> {
        let bearer = format!("Bearer {KEY}");
        let mut headers = vec![
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        if self == Self::Messages {
            headers.push(("anthropic-version", "2023-06-01"));
        }
        request(self.path(), &headers, &body.to_string())
    }
}

/// What others are asked, so that they get the answer that the gateway gets: the gateway's own question.
pub(super) fn upstream_request(
    gateway: &Contestant,
    service: &Service,
    request_to_gateway: &[u8],
    plan: Plan,
) -> Result<Vec<u8>, Failure> {
    Connection::open(&gateway.target)?.ask(request_to_gateway, plan, drop)?;
    let body = String::from_utf8(service.last()?)?;
    let headers = [
        ("authorization", "Bearer ksk_of-the-measurement"),
        ("content-type", "application/x-amz-json-1.0"),
        (
            "x-amz-target",
            "AmazonCodeWhispererStreamingService.GenerateAssistantResponse",
        ),
        ("accept", "*/*"),
    ];
    Ok(request("/", &headers, &body))
}
