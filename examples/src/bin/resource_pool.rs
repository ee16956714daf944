//! A pool of things that are dear to make: when its user is gone, each goes back.
//!
//! A user in a reference cycle of `Rc`s is never dropped, and what it has is lost to a `Drop`. In a
//! `Gc` it is collected, and its finalizer gives back what it had; and the pool has a handle to
//! each loan, to take back what it must.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use lastly::{Finalizer, Gc, Trace, collect, finalize};

type Buffer = Vec<u8>;
type Idle = Arc<Mutex<Vec<Buffer>>>;

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("nobody panics")
}

fn buffers(size: usize) -> Idle {
    Arc::new(Mutex::new((0..size).map(|_| vec![0; 1 << 20]).collect()))
}

struct UserWithDrop {
    idle: Idle,
    buffer: Buffer,
    itself: RefCell<Option<Rc<UserWithDrop>>>,
}

impl Drop for UserWithDrop {
    fn drop(&mut self) {
        lock(&self.idle).push(mem::take(&mut self.buffer));
    }
}

/// What is lent. It is empty when the pool has taken it back.
type Loan = Arc<Mutex<Option<Buffer>>>;

#[derive(Trace)]
struct User {
    loan: Loan,
    itself: RefCell<Option<Gc<User>>>,
}

struct Pool {
    idle: Idle,
    loans: Vec<Finalizer>,
}

impl Pool {
    fn lend(&mut self) -> Option<Gc<User>> {
        if lock(&self.idle).is_empty() {
            collect();
        }
        let loan = Arc::new(Mutex::new(Some(lock(&self.idle).pop()?)));
        let user = Gc::new(User { loan: Arc::clone(&loan), itself: RefCell::new(None) });
        self.loans.retain(Finalizer::is_alive);
        self.loans.push(finalize(&user, give_back, (Arc::clone(&self.idle), loan)).erase());
        Some(user)
    }

    fn take_all_back(&mut self) {
        for finalizer in self.loans.drain(..) {
            finalizer.call();
        }
    }
}

fn give_back((idle, loan): (Idle, Loan)) {
    lock(&idle).extend(lock(&loan).take());
}

fn main() {
    let idle = buffers(3);
    while let Some(buffer) = { lock(&idle).pop() } {
        let itself = RefCell::new(None);
        let user = Rc::new(UserWithDrop { idle: Arc::clone(&idle), buffer, itself });
        *user.itself.borrow_mut() = Some(Rc::clone(&user));
    }
    println!("Drop: of 3 buffers, lent to users in cycles, {} came back", lock(&idle).len());

    let mut pool = Pool { idle: buffers(3), loans: Vec::new() };
    for number in 0..1000 {
        let user = pool.lend().expect("whoever had one is gone");
        lock(&user.loan).as_mut().expect("it is not taken back").fill(7);
        if number % 2 == 0 {
            *user.itself.borrow_mut() = Some(user.clone());
        }
    }
    collect();
    println!("finalize: after 1000 users, 500 in cycles, {} came back", lock(&pool.idle).len());

    let users: Vec<_> = std::iter::from_fn(|| pool.lend()).collect();
    println!("{} users at work, none idle: {}", users.len(), lock(&pool.idle).is_empty());
    pool.take_all_back();
    println!("taken back from them: {}", lock(&pool.idle).len());
    println!("and they know: {}", users.iter().all(|user| lock(&user.loan).is_none()));
}
