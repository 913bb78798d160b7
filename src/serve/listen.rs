//! Listeners with a limited number of connections; further ones wait in the kernel's queue.
//!
//! So a client that opens many connections, or keeps slow ones, cannot exhaust memory or file descriptors. Nothing
//! here interprets a request.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::tls::Tls;

/// A bound socket. As long as it is not listening, nobody can connect.
pub enum Door {
    /// Bound, but not listening yet.
    Bound(TcpSocket),
    /// Listening.
    Listening(TcpListener),
}

/// A listener with a connection limit.
pub(super) struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
    age: Option<Duration>,
}

/// A connection that returns its permit when it is dropped.
pub(super) struct ConnectionPermit {
    stream: Transport,
    _place: OwnedSemaphorePermit,
    end: Option<Pin<Box<Sleep>>>,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connections that may wait to be accepted: the standard library's default.
const BACKLOG: u32 = 1_024;

/// How long to wait after `accept` failed. Usually the file descriptors have run out, and nothing reports when some
/// are free again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

// === impl Door ===

impl Door {
    /// Binds an address, with a free port if the port is 0.
    ///
    /// # Errors
    /// If the address is in use, or does not belong to this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As for every listener: connections of the previous process may still be closing.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Door::Bound(socket))
    }

    /// The bound address.
    ///
    /// # Errors
    /// If the operating system does not report it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Door::Bound(socket) => socket.local_addr(),
            Door::Listening(listener) => listener.local_addr(),
        }
    }

    pub(super) fn is_local(&self) -> bool {
        self.local_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    pub(super) fn open(self) -> io::Result<TcpListener> {
        match self {
            Door::Bound(socket) => socket.listen(BACKLOG),
            Door::Listening(listener) => Ok(listener),
        }
    }
}

impl From<TcpListener> for Door {
    fn from(listener: TcpListener) -> Self {
        Door::Listening(listener)
    }
}

// === impl Limited ===

impl Limited {
    /// At most `most` connections of `listener` at a time.
    pub(super) fn new(listener: TcpListener, most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Limited { listener, places, age: None }
    }

    /// Limits reading to `age` per connection, so that a slow sender does not keep its permit forever.
    pub(super) fn reading_for(self, age: Duration) -> Self {
        Limited { age: Some(age), ..self }
    }

    async fn next(&self) -> (ConnectionPermit, SocketAddr) {
        loop {
            // The semaphore is never closed. If it were, nothing more would be accepted.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small and the client waits for them. A kernel that does not know the option serves
                    // without it.
                    let _ = stream.set_nodelay(true);
                    let end = self.age.map(|age| Box::pin(tokio::time::sleep(age)));
                    return (ConnectionPermit { stream: Transport::Plain(stream), _place: place, end }, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Its connections, for tonic; with a TLS handshake if `tls` is given.
    pub(super) fn connections(self, tls: Option<Tls>) -> impl Stream<Item = io::Result<ConnectionPermit>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let (held, peer) = tokio::select! {
                    held = self.next() => held,
                    () = sender.closed() => return,
                };
                match &tls {
                    // A slow handshake keeps its permit, but nobody else waits for it.
                    Some(tls) => drop(tokio::spawn(shake_hands(held, peer, tls.clone(), sender.clone()))),
                    None if sender.send(Ok(held)).await.is_err() => return,
                    None => {}
                }
            }
        });
        tokio_stream::wrappers::ReceiverStream::new(receiver)
    }
}

impl axum::serve::Listener for Limited {
    type Io = ConnectionPermit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ConnectionPermit, SocketAddr) {
        self.next().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn shake_hands(
    held: ConnectionPermit,
    peer: SocketAddr,
    tls: Tls,
    sender: mpsc::Sender<io::Result<ConnectionPermit>>,
) {
    let Transport::Plain(stream) = held.stream else { return };
    match tls.accept(stream).await {
        // The receiver is gone once the server shuts down; then the connection is dropped too.
        Ok(stream) => {
            drop(sender.send(Ok(ConnectionPermit { stream: Transport::Tls(Box::new(stream)), ..held })).await)
        }
        Err(error) => tracing::warn!(%peer, %error, "a TLS handshake failed"),
    }
}

// === impl ConnectionPermit ===

impl Connected for ConnectionPermit {
    type ConnectInfo = TcpConnectInfo;
    fn connect_info(&self) -> TcpConnectInfo {
        match &self.stream {
            Transport::Plain(stream) => stream.connect_info(),
            Transport::Tls(stream) => stream.get_ref().0.connect_info(),
        }
    }
}

impl AsyncRead for ConnectionPermit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            // An empty read is the end of the stream.
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for ConnectionPermit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
