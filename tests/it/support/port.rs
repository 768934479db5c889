//! An address that stays ours while nobody listens there.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A port of the loopback. It is bound and never listens, so that the system gives it to nobody
/// else while the server that listens there is down: neither to another test's server nor to a
/// client that comes from it.
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    _socket: Socket,
}

impl Port {
    pub(crate) fn reserve() -> Port {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Both ends must want it, and the server does.
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Port {
            addr,
            _socket: socket,
        }
    }

    /// What `--listen` says.
    pub(crate) fn listen(&self) -> String {
        self.addr.to_string()
    }
}
