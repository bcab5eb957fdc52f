from therapy.models.care import CareAssignment
from therapy.models.crisis import CrisisEvent, CrisisNotice
from therapy.models.exercises import ExerciseRun, ProgressMarker
from therapy.models.log import Message
from therapy.models.player import Feedback, PlayerProfile
from therapy.models.session import TherapeuticSession

__all__ = [
    "CareAssignment",
    "CrisisEvent",
    "CrisisNotice",
    "ExerciseRun",
    "Feedback",
    "Message",
    "PlayerProfile",
    "ProgressMarker",
    "TherapeuticSession",
]
