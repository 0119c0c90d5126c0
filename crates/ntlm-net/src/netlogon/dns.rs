//! Controllers as DNS names them.

use super::controllers::ControllerName;
use super::error::ControllerError;
use crate::fresh::random;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The most controllers that are taken from DNS.
const MAX_CONTROLLERS: usize = 64;

/// A domain, and who resolves its names.
#[derive(Clone)]
pub struct Dns {
    domain: String,
    resolver: TokioResolver,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Dns {
    /// For a domain by its DNS name. `None` for the servers that this machine asks.
    ///
    /// # Errors
    ///
    /// This machine has no usable resolver configuration.
    pub fn new(domain: &str, server: Option<SocketAddr>) -> Result<Self, ControllerError> {
        let builder = match server {
            None => TokioResolver::builder_tokio().map_err(dns)?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                config.connections.iter_mut().for_each(|way| way.port = server.port());
                let config = ResolverConfig::from_name_servers(vec![config]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let resolver = builder.build().map_err(dns)?;
        Ok(Self { domain: domain.trim_end_matches('.').to_owned(), resolver })
    }

    /// Best first: by priority, and among equals by weight and chance (RFC 2782).
    pub(super) async fn find(&self) -> Result<Vec<ControllerName>, ControllerError> {
        let name = format!("_ldap._tcp.dc._msdcs.{}.", self.domain);
        let found = self.resolver.srv_lookup(name).await.map_err(dns)?;
        let mut controllers = Vec::new();
        for record in found.answers().iter().take(MAX_CONTROLLERS) {
            let RData::SRV(srv) = &record.data else { continue };
            let chance = u64::from(u32::from_le_bytes(
                random().map_err(ControllerError::io("random bytes"))?,
            ));
            let host = srv.target.to_ascii().trim_end_matches('.').to_owned();
            let order = (srv.priority, u64::MAX - chance * u64::from(srv.weight));
            controllers.push((order, ControllerName { host, port: None }));
        }
        controllers.sort_by_key(|(order, _)| *order);
        Ok(controllers.into_iter().map(|(_, controller)| controller).collect())
    }

    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ControllerError> {
        let found = self.resolver.lookup_ip(format!("{host}.")).await.map_err(dns)?;
        Ok(found.iter().collect())
    }
}

fn dns(error: impl fmt::Display) -> ControllerError {
    ControllerError::Dns(error.to_string().into())
}
