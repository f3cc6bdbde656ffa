"""Training curves: accuracy by epoch, the epoch that was kept, and the two lines to beat."""

from __future__ import annotations

import plotly.graph_objects as go

from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout
from bi2scope.server.wire import TrainingReport

HEIGHT = 320


def training_figure(report: TrainingReport, scheme: Scheme = "light") -> go.Figure:
    """Accuracy on training and validation pairs by epoch, beside chance and the baseline."""
    colours = SCHEMES[scheme]
    epochs = [record.epoch for record in report.history]
    lines = {
        "training": ([record.train_accuracy for record in report.history], colours.primary),
        "validation": ([record.validation_accuracy for record in report.history], colours.secondary),
    }
    figure = go.Figure(
        layout=base_layout(
            scheme,
            height=HEIGHT,
            margin={"l": 60, "r": 110, "t": 24, "b": 50},
            xaxis=axis(scheme, "Epoch", dtick=max(1, len(epochs) // 10), ticks="outside"),
            yaxis=axis(scheme, "Accuracy on pairs", range=[0.35, 1.02], tickformat=".1f", ticks="outside"),
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            hovermode="x unified",
        )
    )
    for name, (values, colour) in lines.items():
        figure.add_trace(
            go.Scatter(
                x=epochs, y=values, name=name, mode="lines+markers", line={"color": colour, "width": 2},
                marker={"size": 5}, hovertemplate="%{y:.3f}",
            )
        )  # fmt: skip
    level(figure, report.chance, f"chance {report.chance:.2f}", colours.muted)
    if report.baseline_accuracy is not None:
        level(figure, report.baseline_accuracy, f"baseline {report.baseline_accuracy:.2f}", colours.muted)
    if report.best_epoch == 0:  # the network before the first epoch has no curve
        return figure
    figure.add_vline(x=report.best_epoch, line={"color": colours.line, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=report.best_epoch, y=0.36, text=f"kept: epoch {report.best_epoch}", showarrow=False, yanchor="bottom",
        xanchor="right", font={"size": 11, "color": colours.muted},
    )  # fmt: skip
    return figure


def level(figure: go.Figure, value: float, text: str, colour: str) -> None:
    """A dashed level across the plot, named at its right end."""
    figure.add_hline(y=value, line={"color": colour, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=1.01, xref="paper", xanchor="left", y=value, text=text, showarrow=False, font={"size": 11, "color": colour}
    )
