//! The crate `sspi`.

use crate::{Contestant, DOMAIN, PASSWORD, USER, WORKSTATION};
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse,
    DataRepresentation, EncryptionFlags, Ntlm, SecurityBuffer, SecurityBufferRef,
    ServerRequestFlags, Sspi as _, SspiEx as _, SspiImpl as _, Username,
};
use std::sync::LazyLock;

/// The crate `sspi`.
pub struct Sspi;

static IDENTITY: LazyLock<AuthIdentity> = LazyLock::new(|| AuthIdentity {
    username: Username::new(USER, Some(DOMAIN)).expect("a good name"),
    password: PASSWORD.to_owned().into(),
});

type Handle = Option<AuthIdentityBuffers>;

fn token(bytes: Vec<u8>) -> Vec<SecurityBuffer> {
    vec![SecurityBuffer::new(bytes, BufferType::Token)]
}

fn first(buffers: Vec<SecurityBuffer>) -> Vec<u8> {
    buffers.into_iter().next().map(|buffer| buffer.buffer).unwrap_or_default()
}

fn initialize(client: &mut Ntlm, handle: &mut Handle, input: Vec<u8>) -> Vec<u8> {
    let (mut input, mut output) = (token(input), token(Vec::new()));
    let requirements = ClientRequestFlags::ALLOCATE_MEMORY | ClientRequestFlags::CONFIDENTIALITY;
    let mut builder = client
        .initialize_security_context()
        .with_credentials_handle(handle)
        .with_context_requirements(requirements)
        .with_target_data_representation(DataRepresentation::Native)
        .with_input(&mut input)
        .with_output(&mut output);
    client
        .initialize_security_context_impl(&mut builder)
        .and_then(|mut generator| generator.resolve_to_result())
        .expect("a good token");
    first(output)
}

fn accept(server: &mut Ntlm, input: &[u8]) -> Vec<u8> {
    let (mut input, mut output) = (token(input.to_vec()), token(Vec::new()));
    let mut handle: Handle = None;
    let builder = server
        .accept_security_context()
        .with_credentials_handle(&mut handle)
        .with_context_requirements(ServerRequestFlags::ALLOCATE_MEMORY)
        .with_target_data_representation(DataRepresentation::Native)
        .with_input(&mut input)
        .with_output(&mut output);
    server
        .accept_security_context_impl(builder)
        .and_then(|mut generator| generator.resolve_to_result())
        .expect("a good token");
    first(output)
}

impl Contestant for Sspi {
    type End = Ntlm;
    type Challenged = Ntlm;

    const NAME: &str = "sspi 0.23.1";

    fn client(challenge: impl FnOnce(&[u8]) -> Vec<u8>) -> (Ntlm, Vec<u8>) {
        let mut client = Ntlm::with_config(sspi::ntlm::NtlmConfig::new(WORKSTATION.to_owned()));
        let mut handle = client
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&IDENTITY)
            .execute(&mut client)
            .expect("a good identity")
            .credentials_handle;
        let negotiate = initialize(&mut client, &mut handle, Vec::new());
        let authenticate = initialize(&mut client, &mut handle, challenge(&negotiate));
        (client, authenticate)
    }

    fn challenge(negotiate: &[u8]) -> (Ntlm, Vec<u8>) {
        let mut server = Ntlm::new();
        let challenge = accept(&mut server, negotiate);
        (server, challenge)
    }

    fn accept(mut server: Ntlm, authenticate: &[u8]) -> Ntlm {
        accept(&mut server, authenticate);
        server.custom_set_auth_identity(IDENTITY.clone()).expect("a good identity");
        server.complete_auth_token(&mut []).expect("the right password");
        server
    }

    fn sign(end: &mut Ntlm, number: u32, message: &mut [u8]) -> [u8; 16] {
        let mut signature = [0; 16];
        let mut buffers =
            [SecurityBufferRef::data_buf(message), SecurityBufferRef::token_buf(&mut signature)];
        end.make_signature(0, &mut buffers, number).expect("negotiated");
        signature
    }

    fn verify(end: &mut Ntlm, number: u32, message: &mut [u8], signature: &mut [u8; 16]) {
        let mut buffers =
            [SecurityBufferRef::data_buf(message), SecurityBufferRef::token_buf(signature)];
        end.verify_signature(&mut buffers, number).expect("a good signature");
    }

    fn seal(end: &mut Ntlm, message: &mut [u8]) -> [u8; 16] {
        let mut signature = [0; 16];
        let mut buffers =
            [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(message)];
        end.encrypt_message(EncryptionFlags::empty(), &mut buffers).expect("negotiated");
        signature
    }

    fn unseal(end: &mut Ntlm, message: &mut [u8], signature: &mut [u8; 16]) {
        let mut buffers =
            [SecurityBufferRef::token_buf(signature), SecurityBufferRef::data_buf(message)];
        end.decrypt_message(&mut buffers).expect("a good signature");
    }
}
