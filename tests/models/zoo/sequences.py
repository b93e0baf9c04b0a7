"""Sequence to sequence, language models, taggers: labels that are read, said and looked up."""

from __future__ import annotations

from typing import Any

import autograd_seq as ag
from zoo.attention import heads_of
from zoo.model import AHEAD, Sketch, model
from zoo.plain import Fed, Functions
from zoo.recurrent import run

SEQ2SEQ = {"t": [7, 1, 4], "u": [2, 5, 3]}


@model()
def language_model(m: Sketch) -> ag.Node:
    """A GRU reads y[t − 1] and says y[t]; nothing was said before the first step but class 0."""
    t, y = m.t, m.labels("y", m.K)
    h = ag.nn.gru(ag.take(m.param("E", m.K, m.D), y[t - 1]), m.H, over=t)
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ h[t] + m.param("c", m.K), y[t]))


@language_model.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = run("gru", f, p, [p.E[int(l)] for l in [0, *p.y[:-1]][: len(p.y)]])
    return sum((f.cross_entropy(p.O @ h + p.c, l) for h, l in zip(hs, p.y, strict=True)), f.zeros())


@model()
def tied_language_model(m: Sketch) -> ag.Node:
    """One table to read and to say (Press & Wolf 2017), and two readers of it; a plain RNN as a user writes it."""
    t, y, E = m.t, m.labels("y", m.K), m.param("E", m.K, m.H)
    h = m.state("h", m.H)
    h[t] = ag.tanh(ag.take(E, y[t - 1]) + 0.5 * ag.take(E, y[t - 2]) + m.param("W", m.H, m.H) @ h[t - 1])
    said = ag.softmax(E @ h[t])
    return m.total(ag.nll(said, y[t]))


@tied_language_model.plainly
def _(f: Functions, p: Fed) -> Any:
    h, total, said = f.zeros(p.W.shape[0]), f.zeros(), [0, 0, *p.y]
    for t, y in enumerate(p.y):
        h = f.tanh(p.E[int(said[t + 1])] + 0.5 * p.E[int(said[t])] + p.W @ h)
        total = total - f.log(f.softmax(p.E @ h)[int(y)])
    return total


@model()
def bigram_mixture(m: Sketch) -> ag.Node:
    """No state at all: y[t − 1] and y[t − 2] each predict y[t], by tables of logits, mixed by a gate of the input."""
    t, y, x = m.t, m.labels("y", m.K), m.input("x", m.D)
    gate = ag.sigmoid(m.param("g", m.D) @ x[t])
    one, two = (ag.softmax(ag.take(m.param(f"E{k}", m.K, m.K), y[t - k])) for k in (1, 2))
    return m.total(-ag.log(ag.pick(gate * one + (1 - gate) * two, y[t])))


@bigram_mixture.plainly
def _(f: Functions, p: Fed) -> Any:
    total, said = f.zeros(), [0, 0, *p.y]
    for t, (x, y) in enumerate(zip(p.x, p.y, strict=True)):
        gate = f.sigmoid(p.g @ x)
        mixed = gate * f.softmax(p.E1[int(said[t + 1])]) + (1 - gate) * f.softmax(p.E2[int(said[t])])
        total = total - f.log(mixed[int(y)])
    return total


@model()
def smoothed_lstm_tagger(m: Sketch) -> ag.Node:
    """Labels that are smoothed (Szegedy et al. 2016), the loss of a tagger on top of an LSTM."""
    t, x, y = m.t, m.input("x", m.D), m.labels("y", m.K)
    h, _ = ag.nn.lstm(x, m.H, over=t)
    logits = m.param("O", m.K, m.H) @ h[t]
    return m.total(ag.cross_entropy(logits, 0.9 * ag.one_hot(y[t], m.K) + 0.1 / m.K))


@smoothed_lstm_tagger.plainly
def _(f: Functions, p: Fed) -> Any:
    total = f.zeros()
    for h, y in zip(run("lstm", f, p, list(p.x)), p.y, strict=True):
        for k, logit in enumerate(p.O @ h):
            total = total + (0.9 * (k == y) + 0.1 / len(p.O)) * (f.logsumexp(p.O @ h) - logit)
    return total


@model(refuses=AHEAD)
def bidirectional_tagger(m: Sketch) -> ag.Node:
    """Words are looked up, read in both directions, and tagged."""
    t, word, y = m.t, m.labels("word", 5), m.labels("y", m.K)
    x = ag.take(m.param("E", 5, m.D), word)
    both = ag.concat([ag.nn.gru(x, m.H, over=t, name="f"), ag.nn.rnn(x, m.H, over=t, name="r", reverse=True)])
    return m.total(ag.cross_entropy(m.param("O", m.K, 2 * m.H) @ both[t], y[t]))


@bidirectional_tagger.plainly
def _(f: Functions, p: Fed) -> Any:
    xs = [p.E[int(w)] for w in p.word]
    pair = zip(run("gru", f, p.under("f/"), xs), run("rnn", f, p.under("r/"), xs, ahead=True), p.y, strict=True)
    return sum((f.cross_entropy(p.O @ f.concat([a, b]), l) for a, b, l in pair), f.zeros())


@model(pieces="last")
def classifier(m: Sketch) -> ag.Node:
    """The class of a whole sequence, from its last state (and pieces of it say what the whole says, at its end)."""
    x, y = m.input("x", m.D), m.labels("y", m.K, over=m.batch)
    h = ag.nn.gru(x, m.H, over=m.t)
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ ag.last(h, over=m.t), y))


@classifier.plainly
def _(f: Functions, p: Fed) -> Any:
    return f.cross_entropy(p.O @ run("gru", f, p, list(p.x))[-1], p.y)


@model(pieces="nothing")
def pooled_classifier(m: Sketch) -> ag.Node:
    """The mean, the largest and an attentive sum of all states, joined."""
    t, x, y = m.t, m.input("x", m.D), m.labels("y", m.K, over=m.batch)
    h = ag.nn.rnn(x, m.H, over=t)
    weights = ag.softmax(m.param("v", m.H) @ h, over=t)
    joined = ag.concat([ag.mean(h, over=t), ag.max(h, over=t), ag.sum(weights * h, over=t)])
    return m.total(ag.cross_entropy(m.param("O", m.K, 3 * m.H) @ joined, y))


@pooled_classifier.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = run("rnn", f, p, list(p.x))
    top = hs[0]
    for h in hs[1:]:
        top = f.maximum(top, h)
    weights = f.softmax(f.stack([p.v @ h for h in hs]))
    pooled = f.concat([sum(hs) / len(hs), top, sum(w * h for w, h in zip(weights, hs, strict=True))])
    return f.cross_entropy(p.O @ pooled, p.y)


@model(steps="u", lengths=SEQ2SEQ)
def seq2seq(m: Sketch) -> ag.Node:
    """Sutskever et al. 2014: a decoder starts from the encoder's last state and reads the label before."""
    t, u, x, y = m.t, m.u, m.input("x", m.D), m.labels("y", m.K, over=(m.u, *m.batch))
    h, c = ag.nn.lstm(x, m.H, over=t, name="enc")
    said = ag.take(m.param("E", m.K, m.D), y[u - 1])
    s, _ = ag.nn.lstm(said, m.H, over=u, name="dec", init=(ag.last(h, over=t), ag.last(c, over=t)))
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ s[u], y[u]))


def lstm_ends(f: Functions, p: Fed, xs: Any, h: Any, c: Any) -> list[tuple[Any, Any]]:
    out = []
    for x in xs:
        i, o, k = (f.sigmoid(p[f"U{g}"] @ x + p[f"W{g}"] @ h + p[f"b{g}"]) for g in "iof")
        c = k * c + i * f.tanh(p.Ug @ x + p.Wg @ h + p.bg)
        h = o * f.tanh(c)
        out.append((h, c))
    return out


@seq2seq.plainly
def _(f: Functions, p: Fed) -> Any:
    zero = f.zeros(len(p["enc/bi"]))
    end = lstm_ends(f, p.under("enc/"), p.x, zero, zero)[-1]
    said = [p.E[int(l)] for l in [0, *p.y[:-1]][: len(p.y)]]
    states = lstm_ends(f, p.under("dec/"), said, *end)
    return sum((f.cross_entropy(p.O @ s, l) for (s, _), l in zip(states, p.y, strict=True)), f.zeros())


@model(steps="u", lengths=SEQ2SEQ)
def additive_attention(m: Sketch) -> ag.Node:
    """Bahdanau et al. 2015: each step of the decoder looks back at the encoder, by a small net."""
    t, u, x, y = m.t, m.u, m.input("x", m.D), m.labels("y", m.K, over=(m.u, *m.batch))
    h = ag.nn.gru(x, m.H, over=t, name="enc")
    s = m.state("s", m.H, over=(u, *m.batch), init={u: ag.tanh(m.param("S", m.H, m.H) @ ag.last(h, over=t))})
    score = m.param("v", m.K) @ ag.tanh(m.param("A", m.K, m.H) @ s[u - 1] + m.param("B", m.K, m.H) @ h[t])
    context = ag.sum(ag.softmax(score, over=t) * h[t], over=t)
    said = ag.take(m.param("E", m.K, m.H), y[u - 1])
    s[u] = ag.tanh(m.param("W", m.H, m.H) @ s[u - 1] + m.param("C", m.H, m.H) @ context + said)
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ s[u] + m.param("P", m.K, m.H) @ context, y[u]))


@additive_attention.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = run("gru", f, p.under("enc/"), list(p.x))
    s, total = f.tanh(p.S @ hs[-1]), f.zeros()
    for before, y in zip([0, *p.y[:-1]], p.y, strict=False):
        weights = f.softmax(f.stack([p.v @ f.tanh(p.A @ s + p.B @ h) for h in hs]))
        context = sum(w * h for w, h in zip(weights, hs, strict=True))
        s = f.tanh(p.W @ s + p.C @ context + p.E[int(before)])
        total = total + f.cross_entropy(p.O @ s + p.P @ context, y)
    return total


@model(steps="u", lengths=SEQ2SEQ)
def multi_head_decoder(m: Sketch) -> ag.Node:
    """The same with two heads of products, inside of the loop of the decoder."""
    t, u, x, y = m.t, m.u, m.input("x", m.D), m.labels("y", m.K, over=(m.u, *m.batch))
    h, heads, d = ag.nn.rnn(x, m.H, over=t, name="enc"), 2, 2
    s = m.state("s", m.H, over=(u, *m.batch))
    q = heads_of(m, s[u - 1], "Q", heads, d)
    k, v = heads_of(m, h[t], "A", heads, d), heads_of(m, h[t], "B", heads, d)
    weights = ag.softmax(ag.einsum("hi,hi->h", q, k), over=t)
    context = ag.reshape(ag.sum(weights[:, None] * v, over=t), (heads * d,))
    s[u] = ag.tanh(m.param("W", m.H, m.H) @ s[u - 1] + m.param("C", m.H, heads * d) @ context
                   + ag.take(m.param("E", m.K, m.H), y[u - 1]))  # fmt: skip
    return m.total(ag.cross_entropy(m.param("O", m.K, m.H) @ s[u], y[u]))


@multi_head_decoder.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = run("rnn", f, p.under("enc/"), list(p.x))
    ks, vs = ([(W @ h).reshape(2, 2) for h in hs] for W in (p.A, p.B))
    s, total = f.zeros(len(p.W)), f.zeros()
    for before, y in zip([0, *p.y[:-1]], p.y, strict=False):
        q, read = (p.Q @ s).reshape(2, 2), []
        for j in range(2):
            weights = f.softmax(f.stack([q[j] @ k[j] for k in ks]))
            read.append(sum(w * v[j] for w, v in zip(weights, vs, strict=True)))
        s = f.tanh(p.W @ s + p.C @ f.concat(read) + p.E[int(before)])
        total = total + f.cross_entropy(p.O @ s, y)
    return total


@model(steps="u", lengths=SEQ2SEQ)
def pointer_network(m: Sketch) -> ag.Node:
    """Vinyals et al. 2015: what is said is a place in the input; its probability is the sum of weights where it stands."""
    t, u, x, b = m.t, m.u, m.input("x", m.D), m.batch
    h = ag.nn.rnn(x, m.H, over=t, name="enc")
    word, y = m.labels("word", 2), m.labels("y", 2, over=(u, *b))
    s = ag.nn.rnn(m.input("z", m.D, over=(u, *b)), m.H, over=u, name="dec", init=ag.last(h, over=t))
    weights = ag.softmax(ag.dot(s[u], m.param("A", m.H, m.H) @ h[t]), over=t)
    copied = ag.sum(ag.where(ag.equal(word[t], y[u]), weights, 0.0), over=t)
    return m.total(-ag.log(0.9 * copied + 0.05))


@pointer_network.plainly
def _(f: Functions, p: Fed) -> Any:
    hs = run("rnn", f, p.under("enc/"), list(p.x))
    total = f.zeros()
    for s, y in zip(run("rnn", f, p.under("dec/"), list(p.z), h=hs[-1]), p.y, strict=True):
        weights = f.softmax(f.stack([s @ (p.A @ h) for h in hs]))
        copied = sum((w for w, word in zip(weights, p.word, strict=True) if word == y), f.zeros())
        total = total - f.log(0.9 * copied + 0.05)
    return total
