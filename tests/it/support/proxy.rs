//! A proxy in front of a real Prometheus that breaks answers in one way at a time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What happens to an answer.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing.
    None,
    /// Connections are refused.
    Refused,
    /// The connection is closed before anything is sent.
    Reset,
    /// The answer comes late, but within the timeout.
    Slow,
    /// The answer never comes.
    Hanging,
    /// Half of the answer comes, then the connection is closed.
    Half,
    /// Half of the answer comes, and then nothing.
    Stalled,
    /// Another answer comes: status, further headers, body.
    Instead(u16, &'static str, &'static str),
    /// Endless bytes.
    Enormous,
    /// The answer's JSON is changed.
    Changed(fn(&mut Value)),
    /// The server's clock differs by this many seconds.
    Clock(i64),
}

/// A running proxy.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: Mutex<String>,
    client: reqwest::Client,
    fault: Mutex<Fault>,
    /// Requests that met the current fault.
    met: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.to_owned()),
            client: super::prometheus::client(),
            fault: Mutex::new(Fault::None),
            met: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let accepting = Some(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Proxy { address, shared, accepting }
    }

    /// Sets the fault from now on.
    pub async fn set(&mut self, fault: Fault) {
        *self.shared.fault.lock().expect("not poisoned") = fault;
        self.shared.met.store(0, Ordering::SeqCst);
        if matches!(fault, Fault::Refused) {
            if let Some(task) = self.accepting.take() {
                task.abort();
                let _ = task.await;
            }
        } else if self.accepting.is_none() {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_reuseaddr(true).expect("set");
            socket.bind(self.address).expect("still ours");
            let listener = socket.listen(64).expect("listening");
            self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }

    /// Forwards to another server from now on.
    pub fn turn_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.shared.upstream.lock().expect("not poisoned"));
    }

    /// Requests that met the current fault.
    pub fn met(&self) -> usize {
        self.shared.met.load(Ordering::SeqCst)
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = self.accepting.take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.open.fetch_add(1, Ordering::SeqCst);
            // The other side may disconnect at any moment.
            let _ = answer(stream, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// One request and its answer; each connection serves one.
async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some((method, path, body)) = question(&mut stream).await? else { return Ok(()) };
    let fault = *shared.fault.lock().expect("not poisoned");
    shared.met.fetch_add(1, Ordering::SeqCst);
    match fault {
        Fault::Reset | Fault::Refused => return Ok(()),
        Fault::Hanging => return gone(&mut stream).await,
        Fault::Instead(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            return stream.write_all(body.as_bytes()).await;
        }
        Fault::Enormous => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\":\"";
            stream.write_all(head).await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
        Fault::Slow => tokio::time::sleep(Duration::from_millis(700)).await,
        _ => {}
    }
    let form = "application/x-www-form-urlencoded";
    let url = format!("{}{path}", shared.upstream.lock().expect("not poisoned"));
    let request = shared.client.request(method, url).header("content-type", form);
    let Ok(response) = request.body(body).send().await else { return Ok(()) };
    let status = response.status().as_u16();
    let mut text = response.text().await.unwrap_or_default();
    if let Fault::Changed(change) = fault {
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        change(&mut value);
        text = value.to_string();
    }
    let ahead = if let Fault::Clock(seconds) = fault { seconds } else { 0 };
    let date = chrono::DateTime::from_timestamp(super::load::now() + ahead, 0).expect("in range");
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ndate: {}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        date.format("%a, %d %b %Y %H:%M:%S GMT"),
        text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    match fault {
        Fault::Half => stream.write_all(&text.as_bytes()[..text.len() / 2]).await,
        Fault::Stalled => {
            stream.write_all(&text.as_bytes()[..text.len() / 2]).await?;
            gone(&mut stream).await
        }
        _ => stream.write_all(text.as_bytes()).await,
    }
}

/// Returns when the other side has disconnected.
async fn gone(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// The method, the path and the form of a request.
async fn question(stream: &mut TcpStream) -> std::io::Result<Option<(reqwest::Method, String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length =
                head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                let method =
                    if head.starts_with("get ") { reqwest::Method::GET } else { reqwest::Method::POST };
                let path = head.split_whitespace().nth(1).unwrap_or("/").to_owned();
                return Ok(Some((method, path, bytes[end + 4..].to_vec())));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// Changes every series of an answer, given as its list of `[time, "value"]`.
pub fn samples(answer: &mut Value, mut change: impl FnMut(&mut Vec<Value>)) {
    for series in answer["data"]["result"].as_array_mut().into_iter().flatten() {
        if let Some(values) = series.get_mut("values").and_then(Value::as_array_mut) {
            change(values);
        } else if let Some(value) = series.get_mut("value") {
            let mut one = vec![value.take()];
            change(&mut one);
            *value = one.pop().unwrap_or_else(|| json!([0, "NaN"]));
        }
    }
}
