//! A real Prometheus, for as long as it is asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::Failure;
use crate::http::{Answer, Connection, request};
use crate::service::Service;

/// It starts within a second.
const START: Duration = Duration::from_secs(60);

/// A Prometheus with a folder for its data, which goes with it.
#[derive(Debug)]
#[must_use]
pub(super) struct Prometheus {
    service: Service,
    address: String,
    /// Behind the service, because fields are dropped in their order: nobody writes to it any more.
    _data: Data,
}

/// A folder that is removed with this.
#[derive(Debug)]
struct Data(PathBuf);

impl Prometheus {
    /// Starts it on a port of the system's choice.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not take the configuration.
    pub(super) fn start(config: &Path, folder: &Path) -> Result<Self, Failure> {
        let data = folder.join("data");
        // A run that was killed may have left one.
        remove(&data)?;
        // It writes its log, and in it the address, to its standard error.
        let mut command = Command::new("sh");
        command.args(["-c", "exec prometheus \"$@\" 2>&1", "prometheus"]);
        command.arg("--web.listen-address=127.0.0.1:0");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", data.display()));
        let service = Service::start(&mut command, &folder.join("prometheus.log"))?;
        let address = service.wait_for(START, address)?;
        Ok(Self {
            service,
            address,
            _data: Data(data),
        })
    }

    /// What `/api/v1/PATH` has.
    ///
    /// # Errors
    ///
    /// It does not answer, or not with success; then it says why, for example where an expression is wrong.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        let mut answer = Answer::default();
        let path = format!("/api/v1/{path}");
        Connection::open(&self.address)?.ask(&request("GET", &path, &[], ""), &mut answer)?;
        let mut answer: Value = serde_json::from_slice(&answer.body)?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(format!("Prometheus answers {path} with {answer}").into()),
        }
    }

    /// The values of an expression at this moment.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(super) fn values(&self, expression: &str) -> Result<Vec<f64>, Failure> {
        let answer = self.get(&format!("query?query={}", encoded(expression)))?;
        let results = answer["result"].as_array();
        let results = results.ok_or("Prometheus answers without a result")?;
        let values = results.iter().filter_map(|one| one["value"][1].as_str());
        Ok(values.filter_map(|value| value.parse().ok()).collect())
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// It does not.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        Ok(self.service.check()?)
    }

    /// The last lines that it wrote.
    pub(super) fn end_of_log(&self) -> String {
        self.service.end_of_log()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // What is left behind is removed by the next run.
        let _ = remove(&self.0);
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `HOST:PORT` in a line such as `… msg="Listening on" address=127.0.0.1:42757`.
fn address(line: &str) -> Option<String> {
    let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
    address.split(' ').next().map(str::to_owned)
}

/// For a query string.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_log() {
        let line = "ts=2026-11-27T12:03:48.518Z caller=tls_config.go:232 level=info component=web msg=\"Listening on\" address=127.0.0.1:42757";
        assert_eq!(address(line).as_deref(), Some("127.0.0.1:42757"));
        let intention = "msg=\"Start listening for connections\" address=127.0.0.1:0";
        assert_eq!(address(intention), None);
    }

    #[test]
    fn an_expression_fits_into_a_query_string() {
        assert_eq!(encoded("a{b=\"ü\"} 1"), "a%7Bb%3D%22%C3%BC%22%7D%201");
    }
}
