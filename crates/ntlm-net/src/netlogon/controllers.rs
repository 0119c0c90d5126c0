//! Where domain controllers are.

use super::error::ControllerError;
use super::name::ControllerName;
use std::net::{IpAddr, SocketAddr};

/// Who knows the controllers of a domain.
#[derive(Clone, Debug)]
pub enum Controllers {
    /// These, in this order.
    Named(Vec<ControllerName>),
    /// DNS: SRV records of `_ldap._tcp.dc._msdcs` (MS-ADTS 6.3.2.3).
    #[cfg(feature = "dns")]
    Dns(Box<super::dns::Dns>),
}

impl Controllers {
    /// All that are known, best first.
    pub(super) async fn find(&self) -> Result<Vec<ControllerName>, ControllerError> {
        match self {
            Self::Named(names) => Ok(names.clone()),
            #[cfg(feature = "dns")]
            Self::Dns(dns) => dns.find().await,
        }
    }

    /// The addresses of one, at least one.
    pub(super) async fn addresses(
        &self,
        controller: &ControllerName,
    ) -> Result<Vec<IpAddr>, ControllerError> {
        let addresses: Vec<IpAddr> = match self {
            Self::Named(_) => {
                let found = tokio::net::lookup_host((controller.host.as_str(), 0)).await;
                let found = found.map_err(ControllerError::io("look the name up"))?;
                found.map(|address: SocketAddr| address.ip()).collect()
            }
            #[cfg(feature = "dns")]
            Self::Dns(dns) => dns.addresses(&controller.host).await?,
        };
        if addresses.is_empty() { Err(ControllerError::NoAddress) } else { Ok(addresses) }
    }
}
