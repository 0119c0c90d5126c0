//! Secure channels with a real domain controller, and logons that it judges: each method, at each
//! validation level, with AES and with RC4.

use crate::dc::Controller;
use crate::wire::{Service, Wire, credential, fresh, now, random, timestamp};
use ntlm::keys::{Ntowfv1, Password, ntowf_v1};
use ntlm::policy::{ClientPolicy, ClientSends};
use ntlm::text::Utf16String;
use ntlm::{
    Client, ClientConfig, Established, LogonOutcome, LogonRequest, Protection, Server,
    ServerConfig, ServerNames,
};
use ntlm_netlogon::NtStatus;
use ntlm_netlogon::calls::{SecureChannelType, ValidationLevel};
use ntlm_netlogon::client::{
    Association, Challenging, Channel, ChannelConfig, ChannelError, ChannelPolicy, Security,
};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::Algorithms;
use ntlm_netlogon::logon::{Judged, LogonMethod, PassedOn, Refusal};
use ntlm_netlogon::pdu::SyntaxId;

fn config(algorithms: Algorithms) -> ChannelConfig {
    let mut negotiate_flags = NegotiateFlags::OFFERED;
    negotiate_flags.set(NegotiateFlags::AES_SHA2, algorithms == Algorithms::AesSha2);
    let policy = ChannelPolicy {
        allow_insecure_rc4: algorithms == Algorithms::InsecureRc4Md5,
        ..ChannelPolicy::default()
    };
    ChannelConfig {
        server_name: Utf16String::from("DC1"),
        domain_name: b"CORP".to_vec(),
        computer_name: b"MEMBER1".to_vec(),
        account_name: Utf16String::from("MEMBER1$"),
        secure_channel_type: SecureChannelType::WORKSTATION,
        negotiate_flags,
        policy,
    }
}

/// Sets a channel up: a connection that it protects.
fn set_up(
    controller: &Controller,
    config: ChannelConfig,
    nt_hash: Ntowfv1,
) -> Result<(Wire, Association, Channel), ChannelError> {
    let mut wire = Wire::connect(controller, Service::Netlogon);
    let association = wire.bind(SyntaxId::NETLOGON, Security::None).unwrap();
    let (call, challenging) = Challenging::start(config, nt_hash, random())?;
    let (answer, association) = wire.call(association, call.opnum, &call.stub).unwrap();
    let (call, authenticating) = challenging.receive(&answer)?;
    let (answer, _) = wire.call(association, call.opnum, &call.stub).unwrap();
    let mut unchecked = authenticating.receive(&answer)?;
    let mut wire = Wire::connect(controller, Service::Netlogon);
    let association = wire.bind(SyntaxId::NETLOGON, unchecked.security()).unwrap();
    let call = unchecked.capabilities(timestamp())?;
    let (answer, association) = wire.call(association, call.opnum, &call.stub).unwrap();
    Ok((wire, association, unchecked.receive(&answer)?))
}

fn machine(controller: &Controller) -> Ntowfv1 {
    ntowf_v1(&Password::from(controller.fact("MACHINE_PASSWORD")))
}

/// Somebody logs on to a server of ours, which has to ask: its request, and the client's keys.
fn logon(user: &str, password: &str, policy: ClientPolicy) -> (LogonRequest, Established) {
    let mut config = ServerConfig::new(ServerNames::new("MEMBER1", "CORP"));
    config.policy.insecure_accept_ntlmv1 = true;
    config.policy.require_extended_session_security = false;
    let client = ClientConfig { policy, protection: Protection::Seal, ..ClientConfig::default() };
    let (negotiate, client) = Client::start(client);
    let server = Server::new(config).unwrap();
    let (challenge, challenged) = server.challenge(&negotiate, fresh()).unwrap();
    let credential = credential(user, password);
    let (authenticate, established) = client.respond(&challenge, &credential, fresh()).unwrap();
    (challenged.receive(&authenticate, now()).unwrap(), established)
}

struct Judge {
    wire: Wire,
    association: Option<Association>,
    channel: Channel,
}

impl Judge {
    fn new(controller: &Controller, algorithms: Algorithms) -> Self {
        let set_up = set_up(controller, config(algorithms), machine(controller));
        let (wire, association, channel) = set_up.unwrap();
        assert_eq!(channel.keys().algorithms, algorithms);
        Self { wire, association: Some(association), channel }
    }

    fn judge(
        &mut self,
        request: LogonRequest,
        method: LogonMethod,
        level: ValidationLevel,
    ) -> Judged {
        let (call, passed_on) =
            PassedOn::start(&mut self.channel, request, method, level, timestamp()).unwrap();
        let association = self.association.take().unwrap();
        let (answer, association) = self.wire.call(association, call.opnum, &call.stub).unwrap();
        self.association = Some(association);
        passed_on.receive(&mut self.channel, &answer)
    }
}

const METHODS: [LogonMethod; 3] = [LogonMethod::Ex, LogonMethod::WithFlags, LogonMethod::SamLogon];

const ALGORITHMS: [Algorithms; 2] = [Algorithms::AesSha2, Algorithms::InsecureRc4Md5];
const LEVELS: [ValidationLevel; 3] =
    [ValidationLevel::SamInfo4, ValidationLevel::SamInfo2, ValidationLevel::SamInfo];

/// Whether the keys that came back are the client's shows only where something is sealed with them.
#[test]
fn the_controller_judges_by_every_method_and_level() {
    let Some(controller) = Controller::get() else { return };
    let policy = |sends, ess| ClientPolicy {
        sends,
        offer_extended_session_security: ess,
        require_extended_session_security: ess,
        ..ClientPolicy::default()
    };
    let policies = [
        policy(ClientSends::Ntlmv2, true),
        policy(ClientSends::InsecureNtlmv1, true),
        policy(ClientSends::InsecureNtlmv1, false),
    ];
    let mut run = 0;
    for algorithms in ALGORITHMS {
        let mut judge = Judge::new(controller, algorithms);
        for method in METHODS {
            for level in LEVELS {
                for policy in &policies {
                    let case = format!("{algorithms:?} {method:?} {level:?} {policy:?}");
                    let password = controller.password("alice");
                    let (request, established) = logon("alice", password, policy.clone());
                    let judged = judge.judge(request, method, level);
                    let Judged::Accepted { outcome, account } = judged else {
                        panic!("{case}: {judged:?}")
                    };
                    assert_eq!(account.level, level);
                    assert_eq!(account.effective_name.to_string(), "alice");
                    assert_eq!(account.logon_domain_name.to_string(), "CORP");
                    assert_eq!(account.logon_server.to_string(), "DC1");
                    let sid = account.logon_domain_id.as_ref().unwrap().to_string();
                    assert_eq!(sid, controller.fact("DOMAIN_SID"));
                    assert_eq!(account.primary_group_id, 513);
                    assert_eq!(account.upn.is_some(), level == ValidationLevel::SamInfo4);
                    let Ok(LogonOutcome::Account(logon)) = *outcome else {
                        panic!("{case}: {outcome:?}")
                    };
                    let (mut client, mut server) =
                        (established.into_session(), logon.into_session());
                    let mut message = *b"only with the same keys";
                    let signature = client.seal(&mut message).unwrap();
                    server.unseal(&mut message, &signature).expect(&case);
                    assert_eq!(&message, b"only with the same keys");
                    run += 1;
                }
            }
        }
    }
    assert_eq!(run, 2 * 3 * 3 * 3);
}

#[test]
fn refusals_come_back_with_the_logon() {
    let Some(controller) = Controller::get() else { return };
    let mut judge = Judge::new(controller, Algorithms::AesSha2);
    for (user, password, expected) in [
        ("alice", "not hers", Refusal::WrongPassword),
        ("nobody-of-that-name", "x", Refusal::NoSuchUser),
        ("daisy", controller.password("daisy"), Refusal::AccountDisabled),
        ("mustchg", controller.password("mustchg"), Refusal::PasswordMustChange),
    ] {
        for method in METHODS {
            let (request, _) = logon(user, password, ClientPolicy::default());
            let judged = judge.judge(request, method, ValidationLevel::SamInfo4);
            let Judged::Refused { request, refusal, .. } = judged else {
                panic!("{user}: {judged:?}")
            };
            assert_eq!((refusal, request.user().to_string()), (expected, user.to_owned()));
        }
    }
}

#[test]
fn who_does_not_know_the_machines_password_gets_no_channel() {
    let Some(controller) = Controller::get() else { return };
    for algorithms in ALGORITHMS {
        let refused = set_up(controller, config(algorithms), Ntowfv1::new([7; 16]));
        let status = NtStatus::ACCESS_DENIED;
        assert_eq!(refused.err(), Some(ChannelError::Refused(status)), "{algorithms:?}");
    }
}
