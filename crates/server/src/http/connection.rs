//! One connection from accept to close: TLS or not, and which HTTP. What is said in it is for `http1` and `http2`.

use super::client_address::{ClientAddress, TrustedProxies};
use super::http1::{self, Ended, Opening};
use super::limits::Limits;
use super::refusal::Refuse;
use super::shutdown::Shutdown;
use super::stream::Transport;
use super::tls::{self, Tls};
use super::tls_records::Records;
use super::{Front, http2};
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use rustix::net::{RecvFlags, recv};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What all connections of a listener share.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) refuse: Arc<dyn Refuse>,
    pub(super) limits: Arc<Limits>,
    pub(super) shutdown: Shutdown,
    tls: Option<Arc<Tls>>,
    trusted_proxies: Arc<TrustedProxies>,
}

impl Server {
    pub(super) fn new(
        front: Front,
        router: Router,
        refuse: Arc<dyn Refuse>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> Self {
        let Front { tls, trusted_proxies } = front;
        let (limits, trusted_proxies) = (Arc::new(limits), Arc::new(trusted_proxies));
        Self { router, refuse, limits, shutdown, tls, trusted_proxies }
    }

    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        self.trusted_proxies.client(peer, headers)
    }
}

impl Transport for TcpStream {
    fn has_unread(&self) -> bool {
        // Asked of the kernel, for the runtime may not have heard; and without a descriptor more, for there may be none.
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(self.as_fd(), &mut [0], flags).is_ok_and(|(length, _)| length > 0)
    }
}

impl Transport for TlsStream<Records<TcpStream>> {
    fn has_unread(&self) -> bool {
        let records = self.get_ref().0;
        !records.is_between() || records.socket().has_unread()
    }
}

/// Serves requests until either side closes.
pub(super) async fn serve(socket: TcpStream, peer: IpAddr, server: Server) {
    let peer = peer.to_canonical();
    // What only some connections need is boxed, so that it costs the others no memory.
    if server.tls.is_some() {
        return Box::pin(serve_tls(socket, peer, server)).await;
    }
    let ended = http1::serve(socket, Opening::MayBeHttp2, peer, &server).await;
    if let Ended::IsHttp2(socket, opening) = ended {
        Box::pin(http2::serve(socket, opening, peer, server)).await;
    }
}

async fn serve_tls(socket: TcpStream, peer: IpAddr, server: Server) {
    let Some(tls) = &server.tls else { return };
    let stream = match tls.handshake(socket, &server.limits).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(client = %peer, %error, "TLS handshake failed"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2) {
        http2::serve(stream, Bytes::new(), peer, server).await;
    } else {
        http1::serve(stream, Opening::IsHttp1, peer, &server).await;
    }
}
