-- %forgemeta, %forgesetup, %forgeautosetup: what a forge (GitHub, GitLab, Forgejo ...) calls the archive of a version, tag or commit, and the directory within it.
-- Read: forgeurl[N], version[N], tag[N], commit[N], branch[N] (and version0 for the first). Set, unless the spec has: forgesource[N], forgesetupargs[N], archivename[N], archiveurl[N],
-- archiveext[N], topdir[N], scm[N], distprefix[N]; without a number also for number 0. N is the number given with -z.
local M = {}

local function get(name) return rpm.expand("%{?" .. name .. "}") end
local function set(name, value) if value and value ~= "" then rpm.define(name .. " " .. value) end end

-- A variable of source N: number 0 may be written without a number.
local function var(name, n)
  local v = get(name .. n)
  if v == "" and n == "0" then v = get(name) end
  return v
end


local function put(name, n, value, all)
  if value == nil or value == "" then return end
  if var(name, n) == "" or all then
    set(name .. n, value)
    if n == "0" then set(name, value) end
  end
end

local function fail(text) rpm.expand("%{error:" .. text:gsub("[%%{}]", "") .. "}") end

-- What forges by the name of their host, what their archives are called. Fields: owner and repository are path, first of a URL; ref is what was asked for.
local function github(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local inside = ref:gsub("/", "-")
  -- A tag that is v and a number names the directory by the number alone.
  if u.commit == "" then inside = inside:gsub("^v(%d)", "%1") end
  local name = u.repo .. "-" .. inside
  return { name = name, url = u.base .. "/archive/" .. ref .. "/" .. name .. "." .. u.ext, top = name }
end

local function gitlab(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local name = u.repo .. "-" .. ref:gsub("/", "-")
  return { name = name, url = u.base .. "/-/archive/" .. ref .. "/" .. name .. "." .. u.ext, top = name }
end

-- Forgejo and Gitea put all in a directory with the repository's name.
local function forgejo(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local name = u.repo .. "-" .. ref:gsub("/", "-")
  return { name = name, url = u.base .. "/archive/" .. ref .. "." .. u.ext .. "#/" .. name .. "." .. u.ext, top = u.repo }
end

local function pagure(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local name = u.repo .. "-" .. ref:gsub("/", "-")
  if u.commit == "" then
    return { name = name, url = "https://releases." .. u.host .. "/" .. u.path .. "/" .. name .. "." .. u.ext, top = name }
  end
  return { name = name, url = u.base .. "/archive/" .. ref .. "/" .. name .. "." .. u.ext, top = name }
end

local function bitbucket(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local owner = u.path:match("^([^/]+)/") or ""
  return { name = u.repo .. "-" .. ref, url = u.base .. "/get/" .. ref .. "." .. u.ext .. "#/" .. u.repo .. "-" .. ref .. "." .. u.ext, top = owner .. "-" .. u.repo .. "-" .. ref:sub(1, 12) }
end

local function sourcehut(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local name = u.repo .. "-" .. ref
  return { name = name, url = u.base .. "/archive/" .. ref .. "." .. u.ext .. "#/" .. name .. "." .. u.ext, top = name }
end

local function googlesource(u)
  local ref = u.commit ~= "" and u.commit or u.tag
  local name = u.repo .. "-" .. ref
  return { name = name, url = u.base .. "/+archive/" .. ref .. "." .. u.ext .. "#/" .. name .. "." .. u.ext, top = name, create = true }
end

local hosts = {
  { "^github%.com$", github, "v" }, { "^gitlab%.", gitlab, "v" }, { "^salsa%.debian%.org$", gitlab, "" }, { "^invent%.kde%.org$", gitlab, "v" }, { "^framagit%.org$", gitlab, "v" },
  { "^codeberg%.org$", forgejo, "v" }, { "^gitea%.", forgejo, "v" }, { "^git%.sr%.ht$", sourcehut, "" }, { "^pagure%.io$", pagure, "" }, { "^bitbucket%.org$", bitbucket, "" },
  { "%.googlesource%.com$", googlesource, "" },
}

local function split(url)
  local host, path = url:match("^%a+://([^/]+)/(.-)/*$")
  if not host then return nil end
  path = path:gsub("%.git$", ""):gsub("/%-/.*$", "")
  if host == "github.com" or host == "bitbucket.org" or host == "codeberg.org" or host == "git.sr.ht" then path = path:match("^[^/]+/[^/]+") or path end
  return host, path, "https://" .. host .. "/" .. path, path:match("([^/]+)$")
end

-- Commits and pre-releases show in the release, so that two builds of one version differ: .20240131git1234567
local function prefix(u, n)
  if u.commit == "" then
    if u.given_tag == "" or u.tag == u.version or u.tag == "v" .. u.version then return "" end
    local tag = u.tag:lower():gsub("^v(%d)", "%1"):gsub("[^%w.]+", ".")
    local version = u.version:lower():gsub("[^%w.]+", ".")
    if tag == version or tag == u.repo:lower() .. "." .. version then return "" end
    return "." .. tag
  end
  local date = var("date", n)
  return "." .. date .. "git" .. u.commit:sub(1, 7)
end

local function one(n, opt)
  local url = var("forgeurl", n)
  if url == "" then fail("forgemeta: forgeurl" .. (n == "0" and "" or n) .. " is not set") return end
  local u = { tag = var("tag", n), commit = var("commit", n), version = var("version", n), ext = var("archiveext", n) }
  if u.version == "" then u.version = get("version") end
  u.host, u.path, u.base, u.repo = split(url)
  if not u.host then fail("forgemeta: '" .. url .. "' is no address of a repository") return end
  local forge, v
  for _, h in ipairs(hosts) do
    if u.host:match(h[1]) then forge, v = h[2], h[3] break end
  end
  if not forge then fail("forgemeta: no forge is known at '" .. u.host .. "'") return end
  if u.ext == "" then u.ext = (forge == gitlab) and "tar.bz2" or "tar.gz" end
  u.given_tag = u.tag
  if u.commit == "" and u.tag == "" then
    local branch = var("branch", n)
    if branch ~= "" then u.tag = branch
    elseif u.version == "" then fail("forgemeta: neither version" .. n .. " nor tag" .. n .. " nor commit" .. n .. " is set") return
    else u.tag = v .. u.version:gsub("~", "-"):gsub("%^.*$", "") end
  end
  local a = forge(u)
  put("forgeurl", n, u.base, true)
  put("archiveext", n, u.ext)
  put("archivename", n, a.name)
  put("archiveurl", n, a.url)
  put("topdir", n, a.top)
  put("scm", n, "git")
  put("forgesource", n, a.url)
  put("forgesetupargs", n, (a.create and "-c -n " or "-n ") .. a.top)
  local p = prefix(u, n)
  put("distprefix", n, p)
  -- The release carries it: %dist is what every spec has in its Release.
  if p ~= "" and n == "0" and get("_ashlar_forge_dist") == "" then
    rpm.define("_ashlar_forge_dist 1")
    rpm.define("dist " .. p .. rpm.expand("%{?dist}"))
  end
  if opt.i or opt.v then
    for _, name in ipairs({ "forgeurl", "forgesource", "forgesetupargs", "archivename", "topdir", "distprefix" }) do
      rpm.expand("%{warn:" .. name .. n .. ": " .. (var(name, n):gsub("%%", "%%%%")) .. "}")
    end
  end
end

local function numbers(opt)
  if opt.z then return { opt.z } end
  if not opt.a then return { "0" } end
  local all = {}
  if var("forgeurl", "0") ~= "" then all[1] = "0" end
  for i = 1, 99 do if get("forgeurl" .. i) ~= "" then all[#all + 1] = tostring(i) end end
  return all
end

function M.meta(opt)
  for _, n in ipairs(numbers(opt)) do one(n, opt) end
end

function M.setup(opt, arg, auto)
  for i, n in ipairs(numbers(opt)) do
    local args = var("forgesetupargs", n)
    if args == "" then fail("forgesetup: forgesetupargs" .. n .. " is not set; forgemeta comes first") return end
    local line = (auto and "%autosetup " or "%setup ") .. args
    if i > 1 or (opt.z and opt.z ~= "0") then line = line .. " -T -b " .. n end
    if opt.v then line = line .. " -v" elseif not auto then line = line .. " -q" end
    if auto then
      if opt.N then line = line .. " -N" end
      if opt.S then line = line .. " -S " .. opt.S end
      if opt.p then line = line .. " -p" .. opt.p end
    end
    if #arg > 0 then line = line .. " " .. table.concat(arg, " ") end
    print(rpm.expand(line) .. "\n")
  end
end

return M
