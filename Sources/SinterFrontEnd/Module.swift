@_exported import SinterCore
