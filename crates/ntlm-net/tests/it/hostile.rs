//! Servers that are none, or mean harm: every operation ends, in time and with little memory.

use crate::common::{error_of, impatient, options};
use ntlm_net::smb::{Client, Error, Options};
use ntlm_smb::client::ClientError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that does as it likes once it has read something.
async fn server<F, T>(act: F) -> SocketAddr
where
    F: FnOnce(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        act(stream).await;
    });
    address
}

/// A server that says this and then waits.
async fn saying(bytes: Vec<u8>) -> SocketAddr {
    server(move |mut stream| async move {
        let _ = stream.write_all(&bytes).await;
        let _ = stream.read(&mut [0; 16]).await;
    })
    .await
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[tokio::test]
async fn silence_ends_by_the_limit() {
    let address = saying(Vec::new()).await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    assert!(matches!(error, Error::TimedOut("receive", _)), "{error}");
}

#[tokio::test]
async fn a_frame_that_never_ends_is_not_waited_for() {
    for cut in [1, 3, 4, 10] {
        let mut half = frame(&[0xfe; 200]);
        half.truncate(cut);
        let address = saying(half).await;
        let error = error_of(Client::connect(address, impatient(options()))).await;
        assert!(matches!(error, Error::TimedOut("receive", _)), "{error}");
    }
}

/// The time is for the answer, not for each byte of it.
#[tokio::test]
async fn a_byte_at_a_time_ends_by_the_limit() {
    let address = server(|mut stream| async move {
        for byte in frame(&[0xfe; 200]) {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    assert!(matches!(error, Error::TimedOut("receive", _)), "{error}");
}

#[tokio::test]
async fn a_length_is_not_believed() {
    let address = saying(vec![0, 0xff, 0xff, 0xff]).await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    let limit = options().limits.message_len;
    assert!(
        matches!(error, Error::TooLong { length: 0xff_ffff, limit: found } if found == limit),
        "{error}"
    );
}

#[tokio::test]
async fn keeping_alive_is_not_answering() {
    let address = saying([0x85, 0, 0, 0].repeat(1000)).await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    assert!(matches!(error, Error::TooManyMessages), "{error}");
}

#[tokio::test]
async fn other_protocols_are_named_so() {
    let address = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    assert!(matches!(error, Error::Frame(_)), "{error}");
    assert_eq!(error.to_string(), "this is no SMB: unexpected value: TYPE at offset 0");
}

#[tokio::test]
async fn no_message_of_any_length_panics() {
    for length in [0, 1, 3, 4, 31, 32, 36, 63, 64, 65, 128, 200] {
        for magic in [*b"\xfeSMB", *b"\xffSMB", *b"\xfdSMB", *b"\xfcSMB", [0; 4]] {
            let mut message = vec![0; length];
            message.iter_mut().zip(magic).for_each(|(to, from)| *to = from);
            let address = saying(frame(&message)).await;
            let error = error_of(Client::connect(address, impatient(options()))).await;
            let is_peers = matches!(error, Error::Client(ClientError::Peer(_)));
            assert!(is_peers, "{length} {magic:?}: {error}");
        }
    }
}

#[tokio::test]
async fn who_hangs_up_is_not_waited_for() {
    let address = server(|stream| async move { drop(stream) }).await;
    let error = error_of(Client::connect(address, impatient(options()))).await;
    assert!(matches!(error, Error::ClosedByServer | Error::Io(..)), "{error}");
}

#[tokio::test]
async fn a_refused_netbios_session_says_why() {
    let address = saying(vec![0x83, 0, 0, 1, 0x82]).await;
    let netbios = Options { transport: ntlm_smb::Transport::NetBios, ..options() };
    let error = error_of(Client::connect(address, netbios)).await;
    assert!(matches!(error, Error::NetBios(Some(0x82))), "{error}");
}
