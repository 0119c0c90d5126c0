//! The domain whose controllers judge.

use crate::args::ServeSmbArgs;
use crate::failure::Failure;
use crate::secrets;
use ntlm_net::netlogon::{
    ControllerName, Controllers, Dns, Domain, DomainLimits, DomainOptions, Machine, Transport,
};
use ntlm_netlogon::keys::Algorithms;

/// As whom controllers are asked, if they are.
pub(super) fn machine(args: &ServeSmbArgs) -> Result<Option<Machine>, Failure> {
    let Some(account) = &args.machine else { return Ok(None) };
    let secret = secrets::machine(&args.secrets, account)?;
    let machine = Machine::new(account, secret);
    machine.map(Some).map_err(|why| Failure::new(format!("--machine: {why}")))
}

/// Asks nobody yet.
pub(super) fn start(args: &ServeSmbArgs, machine: Machine) -> Result<Domain, Failure> {
    let controllers = match (&args.domain, args.dc.as_slice()) {
        (None, []) => {
            let text =
                "--machine: say where the controllers are, by --domain corp.example or --dc HOST";
            return Err(Failure::new(text));
        }
        (Some(domain), []) => {
            let dns = Dns::new(domain, args.dns_server);
            Controllers::Dns(Box::new(dns.map_err(|why| Failure::new(why.to_string()))?))
        }
        (_, named) => {
            let name =
                |dc: &crate::host::Host| ControllerName { host: dc.host.clone(), port: dc.port };
            Controllers::Named(named.iter().map(name).collect())
        }
    };
    let transport = if args.pipe { Transport::Pipe(Box::default()) } else { Transport::Tcp };
    let algorithms =
        if args.insecure_rc4 { Algorithms::InsecureRc4Md5 } else { Algorithms::AesSha2 };
    let limits = DomainLimits::default();
    Ok(Domain::start(DomainOptions { controllers, machine, transport, algorithms, limits }))
}
