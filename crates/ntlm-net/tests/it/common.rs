//! What the tests share: somebody between client and server, who reads frames and may change them.

use ntlm_net::smb::{Error, Limits, Options};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a frame.
pub(crate) enum Fate {
    /// It goes on, perhaps changed.
    Pass,
    /// It is swallowed, and so is all that follows.
    Silence,
    /// The connection is closed.
    Close,
}

/// Which frame it is.
pub(crate) struct Frame<'a> {
    pub(crate) from_client: bool,
    /// Counts from 0 in each direction.
    pub(crate) number: usize,
    /// The message, without prefix.
    pub(crate) message: &'a mut Vec<u8>,
}

/// A limit that a test can wait for.
pub(crate) fn impatient(options: Options) -> Options {
    let limits = Limits { response: Duration::from_millis(700), ..options.limits };
    Options { limits, ..options }
}

/// Limits that a busy machine keeps.
pub(crate) fn options() -> Options {
    let limits = Limits {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(20),
        messages_before_answer: 16,
        ..Limits::default()
    };
    Options { limits, ..Options::default() }
}

/// Listens, and passes the frames of one connection through `judge`.
pub(crate) async fn between<F>(server: SocketAddr, mut judge: F) -> SocketAddr
where
    F: FnMut(Frame<'_>) -> Fate + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let mut numbers = [0, 0];
        let mut silent = false;
        loop {
            // One request at a time, so one direction at a time.
            for from_client in [true, false] {
                let from = if from_client { &mut client } else { &mut server };
                let Some(mut message) = read(from).await else { return };
                let number = numbers[usize::from(from_client)];
                numbers[usize::from(from_client)] += 1;
                match judge(Frame { from_client, number, message: &mut message }) {
                    _ if silent => {}
                    Fate::Pass => {
                        let to = if from_client { &mut server } else { &mut client };
                        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                        to.write_all(&[&length[..], &message].concat()).await.unwrap();
                    }
                    Fate::Silence => silent = true,
                    Fate::Close => return,
                }
            }
        }
    });
    address
}

async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await.ok()?;
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap();
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// The error of an operation, which must come in time.
pub(crate) async fn error_of<T>(what: impl Future<Output = Result<T, Error>>) -> Error {
    let began = Instant::now();
    let error = what.await.err().expect("an error");
    assert!(began.elapsed() < Duration::from_secs(15), "{error} after {:?}", began.elapsed());
    error
}
