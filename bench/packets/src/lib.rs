//! SMB packets: signed, verified, encrypted, decrypted by each contestant.

#[path = "../../src/clock.rs"]
pub mod clock;

use binrw::BinRead;
use ntlm_smb::keys::{CipherKey, SigningKey};
use ntlm_smb::smb2::{Command, Header, HeaderFlags, TransformHeader};
use ntlm_smb::{Cipher, Nonce, PacketCipher, Signer, SigningAlgorithm};
use smb2::crypto::encryption as smb2_encryption;
use smb2::crypto::signing as smb2_signing;
use std::io::Cursor;

/// The key of everything; of 128 bits its first half.
const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

const SESSION_ID: u64 = 0x0100_0000_0019;

/// One implementation of signatures and encryption. What it keeps from one packet to the next is its
/// own affair: a key schedule, or nothing.
pub trait Packets {
    /// What it is called, with its version.
    const NAME: &str;
    /// What signs.
    type Signer;
    /// A message to be signed or verified, in the form that it wants.
    type Message;
    /// What encrypts.
    type Cipher;
    /// A message to be encrypted, and then what it came to.
    type Packet;

    /// What signs by this algorithm.
    fn signer(algorithm: SigningAlgorithm) -> Self::Signer;
    /// A message in the form that it wants.
    fn message(bytes: Vec<u8>) -> Self::Message;
    /// The bytes of a message.
    fn bytes(message: &Self::Message) -> &[u8];
    /// Signs a request.
    fn sign(signer: &mut Self::Signer, message: &mut Self::Message);
    /// Verifies a response.
    fn verify(signer: &mut Self::Signer, message: &mut Self::Message);

    /// What encrypts by this cipher.
    fn cipher(cipher: Cipher) -> Self::Cipher;
    /// A message that is to be encrypted.
    fn packet(message: &[u8]) -> Self::Packet;
    /// Encrypts the packet of that number, which is the nonce.
    fn encrypt(cipher: &mut Self::Cipher, number: u64, packet: &mut Self::Packet);
    /// Decrypts what was encrypted.
    fn decrypt(cipher: &mut Self::Cipher, packet: &mut Self::Packet);
    /// The encrypted message without its header, and its tag.
    fn encrypted(packet: &Self::Packet) -> (&[u8], [u8; 16]);
    /// The decrypted message.
    fn decrypted(packet: &Self::Packet) -> &[u8];
}

/// A request of that many bytes, header included, ready to be signed.
pub fn request(size: usize, number: u64) -> Vec<u8> {
    message(size, number, HeaderFlags::SIGNED)
}

/// A response, signed by us.
pub fn response(algorithm: SigningAlgorithm, size: usize, number: u64) -> Vec<u8> {
    let mut response = message(size, number, HeaderFlags::SERVER_TO_REDIR);
    Ours::signer(algorithm).sign(&mut response).expect("a response");
    response
}

fn message(size: usize, number: u64, flags: HeaderFlags) -> Vec<u8> {
    let header =
        Header { flags, session_id: SESSION_ID, ..Header::new(Command::WRITE, number + 1) };
    let mut message = header.encode().to_vec();
    message.resize(size, 0x5a);
    message
}

fn nonce(number: u64) -> [u8; 16] {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// The crate `ntlm-smb`: whole packets, in place.
pub struct Ours;

impl Packets for Ours {
    const NAME: &str = concat!("ntlm-smb ", env!("CARGO_PKG_VERSION"));
    type Signer = Signer;
    type Message = Vec<u8>;
    type Cipher = PacketCipher;
    type Packet = Vec<u8>;

    fn signer(algorithm: SigningAlgorithm) -> Signer {
        let [key, _] = KEY.as_chunks::<16>().0 else { unreachable!("32 bytes") };
        Signer::new(algorithm, &SigningKey::new(*key))
    }

    fn message(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn bytes(message: &Vec<u8>) -> &[u8] {
        message
    }

    fn sign(signer: &mut Signer, message: &mut Vec<u8>) {
        signer.sign(message).expect("a request");
    }

    fn verify(signer: &mut Signer, message: &mut Vec<u8>) {
        signer.verify(message).expect("it was signed");
    }

    fn cipher(cipher: Cipher) -> PacketCipher {
        PacketCipher::new(&CipherKey::new(cipher, &KEY[..cipher.key_len()]).expect("that long"))
    }

    fn packet(message: &[u8]) -> Vec<u8> {
        [&[0; TransformHeader::LENGTH], message].concat()
    }

    fn encrypt(cipher: &mut PacketCipher, number: u64, packet: &mut Vec<u8>) {
        let nonce = Nonce::never_used_before(*nonce(number).first_chunk().expect("16 bytes"));
        cipher.encrypt(packet, nonce, SESSION_ID).expect("a message");
    }

    fn decrypt(cipher: &mut PacketCipher, packet: &mut Vec<u8>) {
        cipher.decrypt(packet).expect("it was encrypted");
    }

    fn encrypted(packet: &Vec<u8>) -> (&[u8], [u8; 16]) {
        let header = TransformHeader::decode(packet).expect("a packet");
        (&packet[TransformHeader::LENGTH..], header.signature)
    }

    fn decrypted(packet: &Vec<u8>) -> &[u8] {
        &packet[TransformHeader::LENGTH..]
    }
}

/// The crate `smb2`: functions of message and key.
pub struct Smb2;

/// What [`Smb2`] encrypts, and what it makes of it.
pub struct Smb2Packet {
    message: Vec<u8>,
    header: Vec<u8>,
    encrypted: Vec<u8>,
}

impl Packets for Smb2 {
    const NAME: &str = "smb2 0.39.0";
    type Signer = smb2_signing::SigningAlgorithm;
    type Message = (Vec<u8>, u64);
    type Cipher = smb2_encryption::Cipher;
    type Packet = Smb2Packet;

    fn signer(algorithm: SigningAlgorithm) -> smb2_signing::SigningAlgorithm {
        match algorithm {
            SigningAlgorithm::HmacSha256 => smb2_signing::SigningAlgorithm::HmacSha256,
            SigningAlgorithm::AesCmac => smb2_signing::SigningAlgorithm::AesCmac,
            SigningAlgorithm::AesGmac => smb2_signing::SigningAlgorithm::AesGmac,
        }
    }

    fn message(bytes: Vec<u8>) -> (Vec<u8>, u64) {
        let number = Header::decode(&bytes).expect("a message").message_id;
        (bytes, number)
    }

    fn bytes((message, _): &(Vec<u8>, u64)) -> &[u8] {
        message
    }

    fn sign(algorithm: &mut Self::Signer, (message, number): &mut (Vec<u8>, u64)) {
        smb2_signing::sign_message(message, &KEY[..16], *algorithm, *number, false)
            .expect("a request");
    }

    fn verify(algorithm: &mut Self::Signer, (message, number): &mut (Vec<u8>, u64)) {
        smb2_signing::verify_signature(message, &KEY[..16], *algorithm, *number, false)
            .expect("it was signed");
    }

    fn cipher(cipher: Cipher) -> smb2_encryption::Cipher {
        match cipher {
            Cipher::Aes128Ccm => smb2_encryption::Cipher::Aes128Ccm,
            Cipher::Aes128Gcm => smb2_encryption::Cipher::Aes128Gcm,
            Cipher::Aes256Ccm => smb2_encryption::Cipher::Aes256Ccm,
            Cipher::Aes256Gcm => smb2_encryption::Cipher::Aes256Gcm,
        }
    }

    fn packet(message: &[u8]) -> Smb2Packet {
        Smb2Packet { message: message.to_vec(), header: Vec::new(), encrypted: Vec::new() }
    }

    fn encrypt(cipher: &mut Self::Cipher, number: u64, packet: &mut Smb2Packet) {
        let made = smb2_encryption::encrypt_message(
            &packet.message,
            key_of_smb2(*cipher),
            *cipher,
            &nonce(number),
            SESSION_ID,
        );
        (packet.header, packet.encrypted) = made.expect("a message");
    }

    fn decrypt(cipher: &mut Self::Cipher, packet: &mut Smb2Packet) {
        let Smb2Packet { header, encrypted, .. } = packet;
        let message =
            smb2_encryption::decrypt_message(header, encrypted, key_of_smb2(*cipher), *cipher);
        packet.message = message.expect("it was encrypted");
    }

    fn encrypted(packet: &Smb2Packet) -> (&[u8], [u8; 16]) {
        let header = TransformHeader::decode(&packet.header).expect("a header");
        (&packet.encrypted, header.signature)
    }

    fn decrypted(packet: &Smb2Packet) -> &[u8] {
        &packet.message
    }
}

fn key_of_smb2(cipher: smb2_encryption::Cipher) -> &'static [u8] {
    match cipher {
        smb2_encryption::Cipher::Aes128Ccm | smb2_encryption::Cipher::Aes128Gcm => &KEY[..16],
        smb2_encryption::Cipher::Aes256Ccm | smb2_encryption::Cipher::Aes256Gcm => &KEY,
    }
}

/// The crate `smb`: its `MessageSigner`, and the `EncryptingAlgo` below its `MessageEncryptor`.
pub struct Smb;

/// What [`Smb`] signs: the header as it has been read, and all bytes.
pub struct SmbMessage {
    header: smb::Header,
    bytes: smb::transport::IoVec,
}

/// What [`Smb`] encrypts.
pub struct SmbPacket {
    message: Vec<u8>,
    nonce: [u8; 16],
    authenticated: [u8; 32],
    signature: u128,
}

impl Packets for Smb {
    const NAME: &str = "smb 0.12.1";
    type Signer = smb::session::MessageSigner;
    type Message = SmbMessage;
    type Cipher = Box<dyn smb::crypto::EncryptingAlgo>;
    type Packet = SmbPacket;

    fn signer(algorithm: SigningAlgorithm) -> smb::session::MessageSigner {
        let id = match algorithm {
            SigningAlgorithm::HmacSha256 => smb::SigningAlgorithmId::HmacSha256,
            SigningAlgorithm::AesCmac => smb::SigningAlgorithmId::AesCmac,
            SigningAlgorithm::AesGmac => smb::SigningAlgorithmId::AesGmac,
        };
        let key = KEY.first_chunk().expect("32 bytes");
        smb::session::MessageSigner::new(smb::crypto::make_signing_algo(id, key).expect("known"))
    }

    fn message(bytes: Vec<u8>) -> SmbMessage {
        let header = smb::Header::read(&mut Cursor::new(&bytes)).expect("a message");
        SmbMessage { header, bytes: bytes.into() }
    }

    fn bytes(message: &SmbMessage) -> &[u8] {
        message.bytes.first().expect("one buffer")
    }

    fn sign(signer: &mut Self::Signer, message: &mut SmbMessage) {
        // A signer signs once; the crate itself clones it for each message.
        let mut signer = signer.clone();
        signer.sign_message(&mut message.header, &mut message.bytes).expect("a request");
    }

    fn verify(signer: &mut Self::Signer, message: &mut SmbMessage) {
        let mut signer = signer.clone();
        signer.verify_signature(&mut message.header, &message.bytes).expect("it was signed");
    }

    fn cipher(cipher: Cipher) -> Self::Cipher {
        let id = match cipher {
            Cipher::Aes128Ccm => smb::EncryptionCipher::Aes128Ccm,
            Cipher::Aes128Gcm => smb::EncryptionCipher::Aes128Gcm,
            Cipher::Aes256Ccm => smb::EncryptionCipher::Aes256Ccm,
            Cipher::Aes256Gcm => smb::EncryptionCipher::Aes256Gcm,
        };
        smb::crypto::make_encrypting_algo(id, &KEY[..cipher.key_len()]).expect("known")
    }

    fn packet(message: &[u8]) -> SmbPacket {
        SmbPacket {
            message: message.to_vec(),
            nonce: [0; 16],
            authenticated: [0; 32],
            signature: 0,
        }
    }

    fn encrypt(cipher: &mut Self::Cipher, number: u64, packet: &mut SmbPacket) {
        packet.nonce = nonce(number);
        let header = TransformHeader {
            signature: [0; 16],
            nonce: packet.nonce,
            original_message_size: u32::try_from(packet.message.len()).expect("short"),
            reserved: 0,
            flags: TransformHeader::ENCRYPTED,
            session_id: SESSION_ID,
        };
        packet.authenticated = header.authenticated();
        let made = cipher.encrypt(&mut packet.message, &packet.authenticated, &packet.nonce);
        packet.signature = made.expect("a message").signature;
    }

    fn decrypt(cipher: &mut Self::Cipher, packet: &mut SmbPacket) {
        let SmbPacket { message, nonce, authenticated, signature } = packet;
        cipher.decrypt(message, authenticated, nonce, *signature).expect("it was encrypted");
    }

    fn encrypted(packet: &SmbPacket) -> (&[u8], [u8; 16]) {
        (&packet.message, packet.signature.to_le_bytes())
    }

    fn decrypted(packet: &SmbPacket) -> &[u8] {
        &packet.message
    }
}

/// Makes sure that all contestants make the same bytes, and that each accepts what another made.
pub fn check_that_all_agree() {
    for algorithm in SigningAlgorithm::ALL {
        for size in [64, 100, 4096] {
            let ours = signed::<Ours>(algorithm, size);
            assert_eq!(ours, signed::<Smb2>(algorithm, size), "{algorithm} {size}");
            assert_eq!(ours, signed::<Smb>(algorithm, size), "{algorithm} {size}");
        }
    }
    for cipher in Cipher::ALL {
        let message = request(500, 3);
        let ours = encrypted::<Ours>(cipher, &message);
        assert_eq!(ours, encrypted::<Smb2>(cipher, &message), "{cipher}");
        assert_eq!(ours, encrypted::<Smb>(cipher, &message), "{cipher}");
    }
}

fn signed<P: Packets>(algorithm: SigningAlgorithm, size: usize) -> Vec<u8> {
    let mut signer = P::signer(algorithm);
    P::verify(&mut signer, &mut P::message(response(algorithm, size, 6)));
    let mut message = P::message(request(size, 7));
    P::sign(&mut signer, &mut message);
    P::bytes(&message).to_vec()
}

fn encrypted<P: Packets>(kind: Cipher, message: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let (mut cipher, mut packet) = (P::cipher(kind), P::packet(message));
    P::encrypt(&mut cipher, 9, &mut packet);
    let (bytes, tag) = P::encrypted(&packet);
    let encrypted = (bytes.to_vec(), tag);
    P::decrypt(&mut cipher, &mut packet);
    assert_eq!(P::decrypted(&packet), message);
    encrypted
}
