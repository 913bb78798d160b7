//! The tokio runtimes of commands that ask something and end; a server builds its own.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime on the thread of the command, which waits for answers.
pub(super) fn here() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A runtime with threads of its own, so that what was started goes on while the command works.
pub(super) fn beside(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}
