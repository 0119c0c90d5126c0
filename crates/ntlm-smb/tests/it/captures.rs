//! Every SMB capture of testdata, walked as an observer does: every key that its sidecar states is
//! derived, every signature verified, every encrypted packet opened.

use crate::common::{array, captures, hex, number};
use crate::evidence::{Evidence, sequence_row, signature_row};
use ntlm::keys::{Direction, ExportedSessionKey, NtlmVersion, SessionBaseKey};
use ntlm_smb::keys::{
    Establishment, KeyName, PreauthIntegrityHash, SessionKey, SessionKeySource, Smb1KeySchedule,
    Smb1KeySource, SmbDerivation, SmbKeySchedule, StepValue,
};
use ntlm_smb::smb1;
use ntlm_smb::smb2::{
    Capabilities, Command, Compound, Header, NegotiateRequest, NegotiateResponse, SessionFlags,
    SessionSetupResponse, TransformHeader,
};
use ntlm_smb::{
    Cipher, DecryptError, Dialect, Identity, NtStatus, PacketCipher, ProtocolId, SessionPhase,
    SignatureError, SignatureRule, Signed, Signer, SigningAlgorithm,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a walk came across.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    signatures: u64,
    transforms: u64,
    unopened: u64,
    commands_inside: u64,
    sessions: u64,
    wrong_keys_refused: u64,
}

#[test]
fn every_signature_holds_and_every_packet_opens() {
    walk_all(&mut Evidence::default());
}

/// Walks all of them, and notes which rules they chose.
pub(crate) fn walk_all(evidence: &mut Evidence) {
    let mut all = Counts::default();
    let mut files = BTreeMap::new();
    for (name, sidecar, connections) in captures() {
        let mut counts = Counts::default();
        let mut kinds = Vec::new();
        for connection in &connections {
            let mut walk = Walk::new(&name, &sidecar, &mut counts, evidence);
            for message in connection {
                walk.message(message.from_client, &message.bytes);
            }
            kinds.extend(walk.kind());
        }
        let checked = |field: &str| sidecar["checked"][field].as_u64().unwrap_or(0);
        assert_eq!(counts.signatures, checked("signatures_good"), "{name}");
        assert_eq!(counts.transforms, checked("transforms_good"), "{name}");
        assert_eq!(counts.commands_inside, checked("commands_inside"), "{name}");
        assert_eq!(counts.unopened, checked("transforms_unopened"), "{name}");
        kinds.dedup();
        *files.entry(kinds).or_insert(0) += 1;
        all.signatures += counts.signatures;
        all.transforms += counts.transforms;
        all.unopened += counts.unopened;
        all.commands_inside += counts.commands_inside;
        all.sessions += counts.sessions;
        all.wrong_keys_refused += counts.wrong_keys_refused;
    }
    println!("{files:#?}\n{all:#?}");
    assert_eq!(all.wrong_keys_refused, all.signatures + all.transforms);
    assert_eq!(files.values().sum::<u32>(), 96);
}

/// One connection of a capture.
struct Walk<'t> {
    name: &'t str,
    sidecar: &'t Value,
    counts: &'t mut Counts,
    evidence: &'t mut Evidence,
    client_capabilities: Capabilities,
    negotiated: Option<(Dialect, SigningAlgorithm, Option<Cipher>)>,
    hash: PreauthIntegrityHash,
    setups: BTreeMap<u64, PreauthIntegrityHash>,
    sessions: BTreeMap<u64, Session>,
    smb1: Smb1Walk,
}

struct Session {
    identity: Identity,
    keys: SmbKeySchedule,
    signer: Option<Signer>,
}

#[derive(Default)]
struct Smb1Walk {
    seen: bool,
    server_challenge: Option<[u8; 8]>,
    responses: Option<(Vec<u8>, Vec<u8>)>,
    signing: Option<(smb1::Signer, smb1::SequenceNumbers)>,
}

impl<'t> Walk<'t> {
    fn new(
        name: &'t str,
        sidecar: &'t Value,
        counts: &'t mut Counts,
        evidence: &'t mut Evidence,
    ) -> Self {
        Self {
            name,
            sidecar,
            counts,
            evidence,
            client_capabilities: Capabilities::empty(),
            negotiated: None,
            hash: PreauthIntegrityHash::default(),
            setups: BTreeMap::new(),
            sessions: BTreeMap::new(),
            smb1: Smb1Walk::default(),
        }
    }

    /// What was negotiated, for the overview.
    fn kind(&self) -> Option<String> {
        match self.negotiated {
            Some((dialect, signing, cipher)) => {
                let cipher = cipher.map_or("no cipher", Cipher::name);
                Some(format!("{dialect}, {signing}, {cipher}"))
            }
            None => self.smb1.seen.then(|| "SMB1".to_owned()),
        }
    }

    fn message(&mut self, from_client: bool, packet: &[u8]) {
        let name = self.name;
        match ProtocolId::of(packet).unwrap_or_else(|| panic!("{name}: not SMB")) {
            ProtocolId::Smb1 => self.smb1_message(packet),
            ProtocolId::Smb2 => self.packet(packet, false),
            ProtocolId::Transform => self.transform(from_client, packet),
            ProtocolId::Compression => panic!("{name}: compressed"),
        }
    }

    fn transform(&mut self, from_client: bool, packet: &[u8]) {
        let header = TransformHeader::decode(packet).unwrap();
        assert_eq!(header.encode(), packet[..TransformHeader::LENGTH]);
        let Some(session) = self.sessions.get(&header.session_id) else {
            // impacket encrypts its LOGOFF for session 0, whose key nobody can choose.
            assert_eq!(header.session_id, 0, "{}", self.name);
            self.counts.unopened += 1;
            return;
        };
        let [to_server, to_client] = Direction::ALL;
        let (right, wrong) =
            if from_client { (to_server, to_client) } else { (to_client, to_server) };
        let cipher = |way| PacketCipher::new(session.keys.cipher_key(way).unwrap());
        let refused = cipher(wrong).decrypt(&mut packet.to_vec()).unwrap_err();
        assert_eq!(refused, DecryptError::DoesNotHold);
        self.counts.wrong_keys_refused += 1;
        let mut packet = packet.to_vec();
        let decrypted = match cipher(right).decrypt(&mut packet) {
            Ok(decrypted) => decrypted,
            Err(error) => panic!("{}: {error}", self.name),
        };
        assert_eq!(decrypted.defect(), None, "{}", self.name);
        self.counts.transforms += 1;
        let message = decrypted.into_message().to_vec();
        self.counts.commands_inside += u64::try_from(Compound::new(&message).count()).unwrap();
        self.packet(&message, true);
    }

    fn packet(&mut self, packet: &[u8], encrypted: bool) {
        for message in Compound::new(packet) {
            let message = message.unwrap();
            let (header, bytes) = (message.header, message.bytes);
            assert_eq!(header.encode(), bytes[..Header::LENGTH]);
            match header.command {
                Command::NEGOTIATE => self.negotiate(&header, bytes),
                Command::SESSION_SETUP => self.session_setup(&header, bytes),
                _ => (),
            }
            self.signature(&header, bytes, encrypted);
        }
    }

    fn negotiate(&mut self, header: &Header, message: &[u8]) {
        if header.is_response() {
            let response = NegotiateResponse::decode(message).unwrap();
            // 0x02ff answers an SMB1 negotiate and asks for a second one.
            let Some(dialect) = response.dialect() else { return };
            let cipher = response.cipher(self.client_capabilities);
            self.negotiated = Some((dialect, response.signing_algorithm().unwrap(), cipher));
            self.hash = self.hash.after(message);
        } else {
            let request = NegotiateRequest::decode(message).unwrap();
            self.client_capabilities = request.capabilities;
            self.hash = PreauthIntegrityHash::default().after(message);
        }
    }

    fn session_setup(&mut self, header: &Header, message: &[u8]) {
        if !header.is_response() {
            let before = self.setups.remove(&header.session_id).unwrap_or(self.hash);
            self.setups.insert(header.session_id, before.after(message));
            return;
        }
        let pending = self.setups.remove(&header.session_id).or_else(|| self.setups.remove(&0));
        let before = pending.unwrap();
        let after = before.after_session_setup_response(header.status, message);
        match header.status {
            NtStatus::MORE_PROCESSING_REQUIRED => {
                self.setups.insert(header.session_id, after);
            }
            NtStatus::SUCCESS => self.established(header, message, &after),
            _ => (),
        }
    }

    fn established(&mut self, header: &Header, message: &[u8], hash: &PreauthIntegrityHash) {
        let response = SessionSetupResponse::decode(message).unwrap();
        let stated = self.sidecar["checked"]["sessions"].as_array().unwrap().iter();
        let mut stated = stated.filter(|session| {
            session["session_id"].is_string() && number(&session["session_id"]) == header.session_id
        });
        let stated = stated.next().unwrap_or_else(|| panic!("{}: no such session", self.name));
        let identity = if response.session_flags.contains(SessionFlags::IS_GUEST) {
            Identity::Guest
        } else if stated["variant"] == "anonymous" {
            Identity::Anonymous
        } else {
            Identity::Account
        };
        let exported = ExportedSessionKey::new(array(&stated["exported_session_key"]));
        let (dialect, signing_algorithm, cipher) = self.negotiated.unwrap();
        let derive = |source| {
            SmbKeySchedule::derive(SmbDerivation {
                dialect,
                signing_algorithm,
                cipher,
                source,
                preauth_integrity_hash: Some(hash),
                establishment: Establishment::NewSession,
            })
        };
        let all = derive(SessionKeySource::Account(SessionKey::from(&exported)));
        for (key, field) in [
            (KeyName::PreauthIntegrityHashValue, "preauth_hash"),
            (KeyName::SigningKey, "signing_key"),
            (KeyName::ClientToServerKey, "encryption_key"),
            (KeyName::ServerToClientKey, "decryption_key"),
            (KeyName::ApplicationKey, "application_key"),
        ] {
            // The sidecars state keys for guest and anonymous too, which nobody uses.
            if identity == Identity::Account && stated[field].is_string() {
                let step = all.step(key).unwrap();
                let StepValue::Known(bytes) = &step.value else {
                    panic!("{} {field}: {:?}", self.name, step.value)
                };
                assert_eq!(hex(bytes.expose()), stated[field], "{} {field}", self.name);
                self.evidence.step(&step, self.name);
            }
        }
        if let Some(stated) = stated["cipher"].as_str() {
            assert_eq!(cipher.map(Cipher::name), Some(stated), "{}", self.name);
        }
        let algorithm = stated["signing_algorithm"].as_str().unwrap().replace("AES-128", "AES");
        assert_eq!(signing_algorithm.name(), algorithm, "{}", self.name);
        let keys = match identity {
            Identity::Account => all,
            Identity::Guest => derive(SessionKeySource::Guest),
            Identity::Anonymous => derive(SessionKeySource::Anonymous),
        };
        self.evidence.empty_steps(keys.steps(), self.name);
        let signer = keys.signing_key().map(|key| Signer::new(signing_algorithm, key));
        self.sessions.insert(header.session_id, Session { identity, keys, signer });
        self.counts.sessions += 1;
    }

    fn signature(&mut self, header: &Header, message: &[u8], encrypted: bool) {
        let session = self.sessions.get(&header.session_id);
        // No capture authenticates a session again.
        let phase = match header.command {
            Command::SESSION_SETUP => SessionPhase::BeingMade,
            _ => SessionPhase::Established,
        };
        let identity = session.map_or(Identity::Account, |session| session.identity);
        let rule = SignatureRule::choose(header, encrypted, phase, identity);
        let name = self.name;
        match rule.doc().signed {
            // What a client sets inside of what is encrypted does not count.
            Signed::Never if !encrypted => assert!(!header.is_signed(), "{name}: {rule:?}"),
            Signed::Always => assert!(header.is_signed(), "{name}: {rule:?}"),
            Signed::Never | Signed::IfRequired => (),
        }
        let is_signed = header.is_signed() && !encrypted;
        if is_signed || rule.doc().signed == Signed::Never {
            self.evidence.add(signature_row(rule), name);
        }
        let Some(session) = session.filter(|_| is_signed) else { return };
        let signer = session.signer.as_ref().unwrap();
        let verified = signer.verify(message).unwrap_or_else(|error| {
            panic!("{}: message {}: {error}", self.name, header.message_id)
        });
        assert_eq!(verified.message().len(), message.len());
        self.counts.signatures += 1;
        let mut wrong = *session.keys.signing_key().unwrap().expose();
        wrong[15] ^= 1;
        let wrong = Signer::new(signer.algorithm(), &ntlm_smb::keys::SigningKey::new(wrong));
        assert_eq!(wrong.verify(message).unwrap_err(), SignatureError::DoesNotHold);
        self.counts.wrong_keys_refused += 1;
        let mut again = message.to_vec();
        again[Header::SIGNATURE.offset..Header::LENGTH].fill(0);
        signer.sign(&mut again).unwrap();
        assert_eq!(again, message, "signed again, it is the same");
    }

    fn smb1_message(&mut self, message: &[u8]) {
        let header = smb1::Header::decode(message).unwrap();
        assert_eq!(header.encode(), message[..smb1::Header::LENGTH]);
        for block in smb1::Blocks::new(message).unwrap() {
            block.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
        match (header.command, header.is_response()) {
            (smb1::Command::NEGOTIATE, false) => {
                let request = smb1::NegotiateRequest::decode(message).unwrap();
                let dialects: Vec<&[u8]> = request.dialects().collect();
                let again = smb1::NegotiateRequest::encode(&header, &dialects).unwrap();
                assert_eq!(again, message);
            }
            (smb1::Command::NEGOTIATE, true) => {
                self.smb1.seen = true;
                let response = smb1::NegotiateResponse::decode(message).unwrap();
                self.smb1.server_challenge = response.server_challenge();
            }
            (smb1::Command::SESSION_SETUP_ANDX, false) => {
                let request = smb1::SessionSetupRequest::decode(message).unwrap();
                self.smb1.responses = match request.credentials {
                    smb1::Credentials::LanMan { password, .. } => {
                        Some((password.bytes().to_vec(), Vec::new()))
                    }
                    smb1::Credentials::Responses { oem_password, unicode_password, .. } => {
                        Some((oem_password.bytes().to_vec(), unicode_password.bytes().to_vec()))
                    }
                    smb1::Credentials::ExtendedSecurity { .. } => None,
                };
            }
            (smb1::Command::SESSION_SETUP_ANDX, true) if header.status == 0 => {
                let response = smb1::SessionSetupResponse::decode(message).unwrap();
                self.smb1_established(message, &response);
                return;
            }
            _ => (),
        }
        if let Some((signer, numbers)) = &mut self.smb1.signing {
            let number = numbers.number(&header).unwrap();
            signer.verify(message, number).unwrap_or_else(|error| {
                panic!("{}: {} of {}: {error}", self.name, header.command, header.mid)
            });
            self.counts.signatures += 1;
            let rule = smb1::SequenceRule::choose(&header);
            self.evidence.add(sequence_row(rule), self.name);
            assert!(signer.verify(message, number ^ 1).is_err());
            self.counts.wrong_keys_refused += 1;
            let mut again = message.to_vec();
            signer.sign(&mut again, number).unwrap();
            assert_eq!(again, message, "signed again, it is the same");
        }
    }

    fn smb1_established(&mut self, message: &[u8], response: &smb1::SessionSetupResponse<'_>) {
        let name = self.name;
        let sessions = self.sidecar["checked"]["sessions"].as_array().unwrap();
        let [stated] = &sessions[..] else { panic!("{name}: one session") };
        let guest = response.action.contains(smb1::Action::GUEST);
        assert_eq!(stated["guest"], guest, "{name}");
        let exported = || ExportedSessionKey::new(array(&stated["exported_session_key"]));
        let keys = match &self.smb1.responses {
            _ if guest => Smb1KeySchedule::derive(&Smb1KeySource::Guest, false),
            _ if stated["variant"] == "anonymous" => {
                Smb1KeySchedule::derive(&Smb1KeySource::Anonymous, false)
            }
            None => Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(&exported()), false),
            Some((lm_response, nt_response)) => {
                let challenge = self.smb1.server_challenge.unwrap();
                assert_eq!(hex(&challenge), stated["server_challenge"], "{name}");
                let version = match stated["variant"].as_str().unwrap() {
                    "LM" => NtlmVersion::Lm,
                    "NTLMv1" => NtlmVersion::Ntlmv1,
                    "NTLMv2" => NtlmVersion::Ntlmv2,
                    other => panic!("{name}: {other}"),
                };
                let session_base_key = SessionBaseKey::new(array(&stated["session_base_key"]));
                let source = Smb1KeySource::Responses {
                    version,
                    session_base_key: &session_base_key,
                    lm_response,
                    nt_response,
                };
                Smb1KeySchedule::derive(&source, false)
            }
        };
        self.counts.sessions += 1;
        self.evidence.empty_steps(keys.steps(), name);
        if stated["mac_key"].is_string() {
            assert_eq!(hex(keys.mac_key().unwrap().expose()), stated["mac_key"], "{name}");
            for step in keys.steps().filter(|step| step.key != KeyName::ApplicationKey) {
                self.evidence.step(&step, name);
            }
        }
        let Some(mac_key) = keys.mac_key() else {
            assert_ne!(stated["smb1_signing"], true, "{name}");
            return;
        };
        let signer = smb1::Signer::new(mac_key);
        let number = smb1::SequenceRule::ACTIVATING_RESPONSE;
        if stated["smb1_expected_signature"].is_string() {
            let signature = signer.signature(message, number);
            assert_eq!(hex(&signature), stated["smb1_expected_signature"], "{name}");
        }
        if stated["smb1_signing"] == true {
            signer.verify(message, number).unwrap();
            self.evidence.add(sequence_row(smb1::SequenceRule::Activation), name);
            self.counts.signatures += 1;
            self.counts.wrong_keys_refused += 1;
            self.smb1.signing = Some((signer, smb1::SequenceNumbers::activated()));
        }
    }
}
