"""ai-toolkit (ostris): one YAML file in, progress bars and two SQLite tables out."""

from engines.ai_toolkit.engine import AiToolkit

__all__ = ["AiToolkit"]
