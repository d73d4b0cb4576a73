-- Sends what `cairn bench gen` wrote with wrk, each body once, and counts what was accepted:
--   wrk -t 2 -c 64 -d 60s -s xtask/wrk-bodies.lua URL -- FOLDER REQUESTS THREADS MEDIA-TYPE
-- A thread that has sent its bodies waits for the end of -d, so that wrk's own rate says nothing; the server's CPU time does.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local folder, requests, share = args[1], tonumber(args[2]), tonumber(args[3])
  local headers = { ["Content-Type"] = args[4] }
  bodies, sent, answered, accepted, others = {}, 0, 0, 0, 0
  for at = number, requests - 1, share do
    local file = assert(io.open(string.format("%s/%08d.body", folder, at), "rb"))
    table.insert(bodies, wrk.format("POST", "/v1/reports", headers, file:read("*a")))
    file:close()
  end
end

function request()
  sent = sent + 1
  return bodies[math.min(sent, #bodies)]
end

function response(status, headers, body)
  answered = answered + 1
  local _, found = string.gsub(body, '"accepted"', "")
  accepted = accepted + found
  if status ~= 200 then
    others = others + 1
  end
  if answered >= #bodies then
    wrk.thread:stop()
  end
end

function done(summary)
  local accepted, others = 0, 0
  for _, thread in ipairs(threads) do
    accepted = accepted + thread:get("accepted")
    others = others + thread:get("others")
  end
  print(string.format("accepted %d reports; %d answers were no 200", accepted, others))
end
