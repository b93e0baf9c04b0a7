"""How long an unrolled LSTM takes to be drawn here, by torchview and by torchlens: CPU seconds, Graphviz included.

python benchmarks/pictures.py [STEPS]       (default: 20; the others take part where they and a `dot` program are installed)
"""

import importlib.util
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import autograd_seq as ag
import viz


def make_ours(steps: int, suffix: str, folder: Path) -> None:
    """Draw every operation of all steps."""
    t = ag.Axis("t")
    h = ag.nn.lstm(ag.input("x", (3,), over=t), 4, over=t, name="lstm").h
    viz.unfolded(ag.Graph(h), steps, level="ops", steps=(steps, 0)).save(folder / f"ours.{suffix}")


def make_module() -> object:
    """Return the same LSTM as a PyTorch module that writes its gates out."""
    import torch
    from torch import nn

    class Lstm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.U = nn.ModuleList([nn.Linear(3, 4) for _ in range(4)])
            self.W = nn.ModuleList([nn.Linear(4, 4, bias=False) for _ in range(4)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = c = x.new_zeros(x.shape[1], 4)
            rows = []
            for now in x:
                i, f, g, o = (U(now) + W(h) for U, W in zip(self.U, self.W, strict=True))
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                rows.append(h)
            return torch.stack(rows)

    return Lstm()


def draw_by_torchview(steps: int, folder: Path) -> None:
    """Draw the module by torchview."""
    import torch
    import torchview

    torchview.draw_graph(
        make_module(), input_data=torch.zeros(steps, 1, 3), save_graph=True, filename="a", directory=str(folder)
    )


def draw_by_torchlens(steps: int, folder: Path) -> None:
    """Draw the module by torchlens."""
    import torch
    import torchlens

    trace = torchlens.trace(make_module(), torch.zeros(steps, 1, 3))
    trace.draw(vis_outpath=str(folder / "b"), vis_fileformat="png", vis_save_only=True)


def measure(draw: Callable[[], None]) -> float:
    """Return CPU seconds of this process and of those that it starts."""

    def read() -> float:
        child = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + child.ru_utime + child.ru_stime

    start = read()
    draw()
    return read() - start


def main(steps: int) -> None:
    """Print a line for each; what is loaded at first does not count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_ours(1, "svg", folder)
        for suffix in ("svg", "png"):
            print(f"autograd_seq, {suffix}: {measure(lambda suffix=suffix: make_ours(steps, suffix, folder)):.2f} s")
        for other, draw in (("torchview", draw_by_torchview), ("torchlens", draw_by_torchlens)):
            found = importlib.util.find_spec(other) is not None
            if found:
                draw(1, folder)
            print(f"{other}, png: " + (f"{measure(lambda draw=draw: draw(steps, folder)):.2f} s" if found else "not installed"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
