//! What a pair of enter and exit costs in a `tracing` layer that keeps a frame of four counters with each span, adds the
//! difference up at the exit, and counts each allocation in thread-local cells: the shape that spanalloc began with.
//!
//!     anchor-seed [PAIRS]     one line "seed_pair NS" (the median of nine), and one for eight threads in one span
use std::alloc::{GlobalAlloc, Layout as Shape, System};
use std::cell::Cell;
use std::time::Instant;
use tracing::{span::Id, Subscriber};
use tracing_subscriber::{layer::{Context, SubscriberExt}, registry::LookupSpan, Layer, Registry};

thread_local! {
    static COUNTERS: [Cell<u64>; 4] = const { [Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0)] };
}

fn bump(first: usize, bytes: usize) {
    let _ = COUNTERS.try_with(|c| {
        c[first].set(c[first].get() + 1);
        c[first + 1].set(c[first + 1].get() + bytes as u64);
    });
}

struct Counting;
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, shape: Shape) -> *mut u8 {
        bump(0, shape.size());
        System.alloc(shape)
    }
    unsafe fn dealloc(&self, block: *mut u8, shape: Shape) {
        bump(2, shape.size());
        System.dealloc(block, shape)
    }
}
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn snapshot() -> [u64; 4] {
    COUNTERS.with(|c| [c[0].get(), c[1].get(), c[2].get(), c[3].get()])
}

struct Frame([u64; 4]);
struct Delta([u64; 4]);
struct Sums;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Sums {
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(Frame(snapshot()));
        }
    }
    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let now = snapshot();
        if let Some(span) = context.span(id) {
            let mut extensions = span.extensions_mut();
            if let Some(Frame(at)) = extensions.remove::<Frame>() {
                let mut sum = extensions.remove::<Delta>().unwrap_or(Delta([0; 4]));
                for i in 0..4 {
                    sum.0[i] += now[i].saturating_sub(at[i]);
                }
                extensions.insert(sum);
            }
        }
    }
}

fn pairs(span: &tracing::Span, n: u64) -> f64 {
    let begun = Instant::now();
    for _ in 0..n {
        let guard = span.enter();
        drop(guard);
    }
    begun.elapsed().as_nanos() as f64 / n as f64
}

fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(200_000);
    tracing::subscriber::set_global_default(Registry::default().with(Sums)).expect("the only subscriber");
    let span = tracing::info_span!("pair");
    let mut costs: Vec<f64> = (0..9).map(|_| pairs(&span, n)).collect();
    costs.sort_by(|a, b| a.partial_cmp(b).unwrap());
    println!("seed_pair {:.2}", costs[4]);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let span = span.clone();
            std::thread::spawn(move || pairs(&span, n / 8))
        })
        .collect();
    let wall: f64 = threads.into_iter().map(|t| t.join().unwrap()).sum::<f64>() / 8.0;
    println!("seed_threads_8_shared_wall {:.2}", wall);
}
