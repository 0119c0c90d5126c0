//! Associations with a real domain controller over a socket.

use crate::dc::Controller;
use ntlm::keys::{AccountSecret, Password};
use ntlm::policy::ClientPolicy;
use ntlm::text::CodePage;
use ntlm::{AccountName, ClientConfig, Credential, FileTime, Fresh};
use ntlm_netlogon::client::{
    Altered, Answer, Association, AssociationError, BindError, Binding, NtlmBinding,
    NtlmBindingConfig, NtlmPackage, Responded, Security,
};
use ntlm_netlogon::pdu::{AuthLevel, SyntaxId, split};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the controller has on a port.
#[derive(Clone, Copy)]
pub(crate) enum Service {
    EndpointMapper,
    Netlogon,
    Samr,
}

/// A connection that moves fragments. It gives up after some seconds.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    /// How many fragments the last answer had.
    pub(crate) fragments: usize,
}

impl Wire {
    pub(crate) fn connect(controller: &Controller, service: Service) -> Self {
        let port: u16 = match service {
            Service::EndpointMapper => 135,
            Service::Netlogon => controller.fact("NETLOGON_TCP_PORT").parse().unwrap(),
            Service::Samr => controller.fact("RPC_TCP_PORT").parse().unwrap(),
        };
        let stream = TcpStream::connect((controller.address(), port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, received: Vec::new(), fragments: 0 }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn fragment(&mut self) -> Vec<u8> {
        loop {
            if let Some((fragment, behind)) = split(&self.received).unwrap() {
                let (fragment, behind) = (fragment.to_vec(), behind.to_vec());
                self.received = behind;
                return fragment;
            }
            let mut buffer = [0; 8192];
            let length = self.stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the controller closed the connection");
            self.received.extend_from_slice(&buffer[..length]);
        }
    }

    /// bind without a logon.
    pub(crate) fn bind(
        &mut self,
        interface: SyntaxId,
        security: Security,
    ) -> Result<Association, AssociationError> {
        let (bind, binding) = Binding::start(interface, security).unwrap();
        self.send(&bind);
        binding.receive(&self.fragment())
    }

    /// bind with one, or as nobody.
    pub(crate) fn log_on(
        &mut self,
        interface: SyntaxId,
        config: NtlmBindingConfig,
        credential: Option<&Credential>,
    ) -> Result<Association, BindError> {
        let (bind, binding) = NtlmBinding::start(interface, config)?;
        self.send(&bind);
        let responding = binding.receive(&self.fragment())?;
        let responded = match credential {
            Some(credential) => responding.respond(credential, fresh())?,
            None => responding.respond_anonymously(fresh())?,
        };
        let (mut sent, mut altering) = match responded {
            Responded::Auth3(auth3, association) => {
                self.send(&auth3);
                return Ok(association);
            }
            Responded::AlterContext(sent, altering) => (sent, altering),
        };
        loop {
            self.send(&sent);
            match altering.receive(&self.fragment())? {
                Altered::Bound(association) => return Ok(association),
                Altered::AlterContext(next, state) => (sent, altering) = (next, state),
            }
        }
    }

    /// One call and its whole answer.
    pub(crate) fn call(
        &mut self,
        association: Association,
        opnum: u16,
        stub: &[u8],
    ) -> Result<(Vec<u8>, Association), AssociationError> {
        let confounders = std::iter::repeat_with(random);
        let (sent, mut calling) = association.call(opnum, stub, confounders)?;
        self.send(&sent);
        self.fragments = 0;
        loop {
            self.fragments += 1;
            match calling.receive(&mut self.fragment())? {
                Answer::More(next) => calling = next,
                Answer::Whole(stub, association) => return Ok((stub, association)),
            }
        }
    }
}

pub(crate) fn config(
    package: NtlmPackage,
    auth_level: AuthLevel,
    policy: ClientPolicy,
) -> NtlmBindingConfig {
    NtlmBindingConfig { package, auth_level, client: ClientConfig { policy, ..Default::default() } }
}

/// An account of the controller's domain.
pub(crate) fn credential(user: &str, password: &str) -> Credential {
    let password = Password::from(password);
    let secret = AccountSecret::from_password(&password, CodePage::Cp437);
    Credential { name: AccountName::down_level("CORP", user), secret }
}

pub(crate) fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    FileTime::from_unix_nanos(since.as_nanos())
}

/// Seconds since 1970.
pub(crate) fn timestamp() -> u32 {
    now().unix_seconds().unwrap().try_into().unwrap()
}

/// Another number each time: nothing here has to be secret.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let first = NEXT.fetch_add(1, Ordering::Relaxed);
    std::array::from_fn(|index| first.wrapping_add(u8::try_from(index).unwrap().wrapping_mul(89)))
}

pub(crate) fn fresh() -> Fresh {
    Fresh::from_random(now(), random())
}
