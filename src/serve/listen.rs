//! A listener that holds at most so many connections; further ones wait in the kernel's queue.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::tls::Tls;

/// A connection that gives its place back when it is dropped.
pub(super) struct Held {
    stream: Transport,
    _place: OwnedSemaphorePermit,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The connections of `listener`, at most `most` at a time, shaking hands where `tls` is given.
pub(super) fn limited(
    listener: TcpListener,
    most: usize,
    tls: Option<Tls>,
) -> impl Stream<Item = io::Result<Held>> {
    let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            if let Ok((stream, _)) = &accepted {
                // Answers are small and awaited; a kernel that does not know the option serves without it.
                let _ = stream.set_nodelay(true);
            }
            let sent = match (accepted, &tls) {
                (Ok((stream, peer)), Some(tls)) => {
                    // A slow handshake keeps its place, but nobody else waits for it.
                    tokio::spawn(shake_hands(stream, peer, tls.clone(), place, sender.clone()));
                    Ok(())
                }
                (Ok((stream, _)), None) => {
                    sender.send(Ok(Held { stream: Transport::Plain(stream), _place: place })).await
                }
                (Err(error), _) => sender.send(Err(error)).await,
            };
            if sent.is_err() {
                return;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

async fn shake_hands(
    stream: TcpStream,
    peer: std::net::SocketAddr,
    tls: Tls,
    place: OwnedSemaphorePermit,
    sender: mpsc::Sender<io::Result<Held>>,
) {
    match tls.accept(stream).await {
        // The other end of the channel is gone once the server ends, and the connection with it.
        Ok(stream) => {
            drop(sender.send(Ok(Held { stream: Transport::Tls(Box::new(stream)), _place: place })).await);
        }
        Err(error) => tracing::warn!(%peer, %error, "a TLS handshake failed"),
    }
}

// === impl Held ===

impl Connected for Held {
    type ConnectInfo = TcpConnectInfo;
    fn connect_info(&self) -> TcpConnectInfo {
        match &self.stream {
            Transport::Plain(stream) => stream.connect_info(),
            Transport::Tls(stream) => stream.get_ref().0.connect_info(),
        }
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Held {
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
