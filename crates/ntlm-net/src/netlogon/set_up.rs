//! Setting a secure channel up with one controller.

use super::connection::{Bound, Connection};
use super::error::ControllerError;
use super::name::ControllerName;
use super::options::{DomainOptions, Transport};
use crate::fresh::random;
use ntlm::{AccountName, Credential};
use ntlm_netlogon::calls::{MapRequest, MapResponse};
use ntlm_netlogon::client::{AssociationError, Call, Challenging, Channel, Security};
use ntlm_netlogon::pdu::SyntaxId;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// The port of the endpoint mapper.
const ENDPOINT_MAPPER: u16 = 135;
/// The port of SMB.
const SMB: u16 = 445;

/// A channel, an association that it protects, and where it is.
pub(super) struct SetUp {
    pub(super) channel: Channel,
    pub(super) bound: Bound,
    pub(super) address: SocketAddr,
}

/// Sets a channel up, at the first address that takes it in time.
pub(super) async fn set_up(
    options: &DomainOptions,
    controller: &ControllerName,
) -> Result<SetUp, ControllerError> {
    let mut last = ControllerError::NoAddress;
    let step = options.limits.step;
    let found = timeout(step, options.controllers.addresses(controller)).await;
    for address in found.unwrap_or(Err(ControllerError::TimedOut("look the name up")))? {
        match timeout(step, set_up_at(options, controller, address)).await {
            Ok(Ok(set_up)) => return Ok(set_up),
            Ok(Err(error)) => last = error,
            Err(_) => last = ControllerError::TimedOut("set up a channel"),
        }
    }
    Err(last)
}

async fn set_up_at(
    options: &DomainOptions,
    controller: &ControllerName,
    ip: IpAddr,
) -> Result<SetUp, ControllerError> {
    let address = SocketAddr::new(ip, port(options, controller, ip).await?);
    let config = options.machine.channel_config(&controller.host, options.algorithms);
    let client_challenge = random().map_err(ControllerError::io("random bytes"))?;
    let nt_hash = options.machine.secret.nt_hash().duplicate();
    let mut plain = associate(options, controller, address, Security::None).await?;
    let (call, challenging) = Challenging::start(config, nt_hash, client_challenge)?;
    let (call, authenticating) = challenging.receive(&plain.call(&call).await?)?;
    let mut unchecked = authenticating.receive(&plain.call(&call).await?)?;
    drop(plain);
    let mut bound = associate(options, controller, address, unchecked.security()).await?;
    let call = unchecked.capabilities(unix_time())?;
    let channel = unchecked.receive(&bound.call(&call).await?)?;
    Ok(SetUp { channel, bound, address })
}

/// One more association with Netlogon.
pub(super) async fn associate(
    options: &DomainOptions,
    controller: &ControllerName,
    address: SocketAddr,
    security: Security,
) -> Result<Bound, ControllerError> {
    let connection = match &options.transport {
        Transport::Tcp => Connection::tcp(address).await?,
        Transport::Pipe(smb) => {
            let machine = &options.machine;
            let name = AccountName::down_level(&machine.domain, &machine.account_name());
            let account = Credential { name, secret: machine.secret.duplicate() };
            {
                let smb = smb.as_ref().clone();
                Connection::pipe(&controller.host, address, smb, &account, "netlogon").await?
            }
        }
    };
    Bound::bind(connection, SyntaxId::NETLOGON, security).await
}

/// Where Netlogon is: as given, of SMB, or as the endpoint mapper says.
async fn port(
    options: &DomainOptions,
    controller: &ControllerName,
    ip: IpAddr,
) -> Result<u16, ControllerError> {
    if let Some(port) = controller.port {
        return Ok(port);
    }
    if let Transport::Pipe(_) = options.transport {
        return Ok(SMB);
    }
    let connection = Connection::tcp(SocketAddr::new(ip, ENDPOINT_MAPPER)).await?;
    let mut bound = Bound::bind(connection, SyntaxId::ENDPOINT_MAPPER, Security::None).await?;
    let request = MapRequest { interface: SyntaxId::NETLOGON, max_towers: MapResponse::MAX_TOWERS };
    let stub = request.encode().map_err(AssociationError::from)?;
    let answer = bound.call(&Call { opnum: MapRequest::OPNUM, stub }).await?;
    let MapResponse { ports, status } = MapResponse::decode(&answer)?;
    ports.first().copied().ok_or(ControllerError::NotMapped(status))
}

/// Seconds since 1970, as far as authenticators count them.
pub(super) fn unix_time() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() & u64::from(u32::MAX)).unwrap_or_default()
}
