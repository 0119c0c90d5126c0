//! The domain whose controllers judge.

use crate::args::{ServePolicy, ServeSmbArgs};
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
    let machine = machine.map_err(|why| Failure::new(format!("--machine: {why}")))?;
    refuse_what_controllers_do(args, &machine.computer)?;
    Ok(Some(machine))
}

/// What cannot be with controllers that judge.
fn refuse_what_controllers_do(args: &ServeSmbArgs, computer: &str) -> Result<(), Failure> {
    if args.name.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(computer)) {
        return Err(Failure::new(format!(
            "--name: leave it out, or say {computer}: an NTLMv2 response has the server's name in it, and \
             controllers refuse one that was made for another machine than asks"
        )));
    }
    if args.policy.contains(&ServePolicy::InsecureGuest) {
        return Err(Failure::new(
            "--policy insecure-guest: not with --machine: whether an account is unknown, and a guest then, \
             is for the domain's controllers to say",
        ));
    }
    Ok(())
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
