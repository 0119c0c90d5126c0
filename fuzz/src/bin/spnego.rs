//! SPNEGO tokens: each read and written, and given to both ends in every state.
#![no_main]

use ntlm::keys::AccountSecret;
use ntlm::policy::ServerPolicy;
use ntlm::text::CodePage;
use ntlm::{AccountName, Credential, FileTime, Fresh, Server, ServerConfig, ServerNames};
use ntlm_spnego::{
    Acceptor, AcceptorConfig, AcceptorStep, Initiator, InitiatorConfig, InitiatorStep,
    NegTokenInit2, NegotiationToken, mechanism,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(token) = NegotiationToken::decode(data) {
        let written = write(&token);
        let again = NegotiationToken::decode(&written).expect("what was written is read");
        assert_eq!(token, again);
        assert_eq!(write(&again), written);
    }
    let _ = NegTokenInit2::decode(data).map(|token| token.encode());
    for preferred in [vec![], vec![mechanism::KERBEROS]] {
        for (require_mech_list_mic, insecure_accept_missing_mic) in [(false, true), (true, false)] {
            let foreign = vec![mechanism::NEGOEX];
            let initiator = InitiatorConfig {
                preferred: preferred.clone(),
                insecure_accept_missing_mic,
                ..InitiatorConfig::default()
            };
            let acceptor =
                AcceptorConfig { foreign, require_mech_list_mic, ..AcceptorConfig::default() };
            negotiate(&initiator, &acceptor, data);
        }
    }
});

fn write(token: &NegotiationToken<'_>) -> Vec<u8> {
    match token {
        NegotiationToken::Init(token) => token.encode(),
        NegotiationToken::Init2(token) => token.encode(),
        NegotiationToken::Resp(token) => token.encode(),
    }
}

/// A negotiation in which the input takes the place of one token after the other.
fn negotiate(initiator: &InitiatorConfig, acceptor: &AcceptorConfig, data: &[u8]) {
    for replaced in 0.. {
        if run(initiator.clone(), acceptor.clone(), data, replaced) <= replaced {
            break;
        }
    }
}

/// Ends at the first error, or when both ends are done; gives the number of tokens.
fn run(
    initiator: InitiatorConfig,
    acceptor: AcceptorConfig,
    data: &[u8],
    replaced: usize,
) -> usize {
    let mut number = 0;
    let mut received = |token: Vec<u8>| {
        number += 1;
        if number > replaced { data.to_vec() } else { token }
    };
    let policy = ServerPolicy { insecure_allow_anonymous: true, ..ServerPolicy::default() };
    let server = ServerConfig { policy, ..ServerConfig::new(ServerNames::new("SERVER", "SERVER")) };
    let server = Server::new(server).expect("a short name");
    let mut acceptor = Acceptor::new(server, acceptor);
    let (mut token, mut initiator) = Initiator::start(initiator);
    loop {
        let Ok(step) = acceptor.step(&received(token), fresh(1)) else { break };
        let step = match step {
            AcceptorStep::Judge(request, waiting) => {
                let Ok(outcome) = request.verify(Some(&secret())) else { break };
                waiting.settle(outcome)
            }
            step => Ok(step),
        };
        let (reply, next) = match step {
            Ok(AcceptorStep::Continue(reply, next)) => (reply, Some(next)),
            Ok(AcceptorStep::Done(accepted)) => (accepted.token, None),
            Ok(AcceptorStep::Foreign { .. } | AcceptorStep::Judge(..)) | Err(_) => break,
        };
        (token, initiator) = match initiator.step(&received(reply)) {
            Ok(InitiatorStep::Continue(token, next)) => (token, next),
            Ok(InitiatorStep::Respond(responding)) => {
                let name = AccountName::parse(r"EXAMPLE\alice");
                let alice = Credential { name, secret: secret() };
                let Ok(answer) = responding.respond(&alice, fresh(2)) else { break };
                let Ok(sent) = answer.send() else { break };
                sent
            }
            Ok(InitiatorStep::Done(_) | InitiatorStep::Foreign { .. }) | Err(_) => break,
        };
        let Some(next) = next else { break };
        acceptor = next;
    }
    number
}

fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24])
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&"Password".into(), CodePage::Cp437)
}
