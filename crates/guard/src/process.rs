//! What a process does to become a guard: calls of the system that need `unsafe`.

use std::io;

/// Closes every descriptor but the first three: what a program forgot to mark as its own.
pub(crate) fn close_others() {
    // SAFETY: nothing here has opened one of them yet.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return;
    }
    // Older kernels.
    for number in 3..1024 {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

/// Goes on in a child, which is nobody's: the parent ends here. So who has started it need not
/// wait for it, and it is not the leader of a group that others know.
pub(crate) fn leave_parent() -> io::Result<()> {
    match fork()? {
        0 => Ok(()),
        // SAFETY: nothing is to be cleaned up.
        _ => unsafe { libc::_exit(0) },
    }
}

/// Does this in a child, which then ends. Nobody waits for it, and nobody takes it for this process: it does not
/// keep the output, by whose end others know that this one has ended.
pub(crate) fn beside(work: impl FnOnce()) {
    if let Ok(0) = fork() {
        // SAFETY: two numbers. Nothing here writes to either by another name.
        if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } != -1 {
            work();
        }
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }
}

fn fork() -> io::Result<i32> {
    // SAFETY: this process has one thread, so the child is whole.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        number => Ok(number),
    }
}

/// Lets those signals pass that end programs by the dozen: a terminal that is closed, a service that
/// is stopped. And does not keep dead children.
pub(crate) fn ignore_signals() {
    for signal in [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTERM,
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGXFSZ,
        libc::SIGXCPU,
        libc::SIGCHLD,
    ] {
        // SAFETY: a disposition that is no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
