//! Defaults, most of them those of the libraries.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};

use kiro_gateway::ServerOptions;

use super::limits::Limits;
use super::shape::{
    Capture, FetchImages, Images, Log, LogFormat, Multiplier, Quota, Reasoning, Responses, Server,
    Store, StoreKind, Telemetry, Tenants, Timeouts, Tls, Upstream,
};

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::default(),
            path: None,
            url: None,
            gateways: NonZeroU32::MIN,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: None,
            service_name: "kiro-2api".to_owned(),
        }
    }
}

impl Default for Responses {
    fn default() -> Self {
        let keep = kiro_gateway::KeepOptions::default();
        Self {
            max_bytes: keep.max_bytes,
            idle_expiry: keep.idle_expiry,
        }
    }
}

impl Default for Tenants {
    fn default() -> Self {
        let options = kiro_gateway::GuestOptions::default();
        Self {
            max_tracked: options.max_guests,
            idle_expiry: options.idle_expiry,
            limits: Limits::default(),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        let options = kiro_gateway::QuotaOptions::default();
        Self {
            warn_below: options.warn_below,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        let options = ServerOptions::default();
        let admission = kiro_gateway::AdmissionOptions::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            reuse_port: false,
            tls: Tls::default(),
            max_body: 64 << 20,
            max_body_memory: admission.max_body_memory,
            max_memory: None,
            max_connections: options.max_connections.map_or(0, NonZeroUsize::get),
            max_exchanges: admission.max_exchanges.map_or(0, NonZeroUsize::get),
            queue: admission.queue,
            queue_timeout: admission.queue_timeout,
            failed_keys_per_minute: 60,
            allowed_origins: vec!["*".to_owned()],
            refuse_ignored: false,
            pass_invalid_json: false,
            reasoning: Reasoning::Member,
            docs: true,
            header_timeout: options.header_timeout,
            write_timeout: options.write_timeout,
            half_close: options.half_close,
            drain_timeout: options.drain,
            drain_delay: options.drain_delay,
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        let options = kiro_gateway::UpstreamOptions::default();
        Self {
            region: None,
            endpoint: None,
            auth_endpoint: None,
            wire_profile: None,
            user_agent: options.user_agent,
            max_retries: options.max_retries,
            idp_hosts: Vec::new(),
            ca: None,
        }
    }
}

impl Default for Images {
    fn default() -> Self {
        let options = kiro_gateway::ImageOptions::default();
        Self {
            fetch: FetchImages::Own,
            scale: options.scale,
            max_bytes: options.max_bytes,
            timeout: options.timeout,
            ports: options.ports.iter().map(u16::to_string).collect(),
            allow_private: Vec::new(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let timeouts = kiro_gateway::Timeouts::default();
        Self {
            connect: timeouts.connect,
            body: timeouts.body,
            first_event: timeouts.first_event,
            gap: timeouts.gap,
            total: timeouts.total,
            multipliers: timeouts
                .multipliers
                .into_iter()
                .map(|(family, factor)| (family, Multiplier(factor)))
                .collect(),
            least_first_event: timeouts.least_first_event,
            least_gap: timeouts.least_gap,
            patience: timeouts.patience,
            keep_alive: timeouts.keep_alive,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            capture: Capture::Off,
            capture_path: None,
            capture_max_bytes: 256 << 20,
            capture_max_files: 1_000,
        }
    }
}
