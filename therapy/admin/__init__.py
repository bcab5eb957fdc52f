"""The clinician's pages in the admin site. Messages are not among them: the log belongs to its player."""

from therapy.admin import care, conversations, crisis, progress

__all__ = ["care", "conversations", "crisis", "progress"]
