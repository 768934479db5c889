//! An address that stays reserved while nobody listens there.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A port of the loopback. It is bound here and never listens, so that while the tested server is
/// down the system gives the port to nobody else: neither to another test's server nor to a client
/// for its own end of a connection.
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    _socket: Socket,
}

impl Port {
    pub(crate) fn reserve() -> Port {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Both sockets must allow it, and the server's does.
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        let addr = socket.local_addr().unwrap().as_socket().unwrap();
        Port {
            addr,
            _socket: socket,
        }
    }

    /// The value of `--listen`.
    pub(crate) fn listen(&self) -> String {
        self.addr.to_string()
    }
}
